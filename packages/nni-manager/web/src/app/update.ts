/** Changes limits or the search space of the experiment that runs. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { client, problemText } from "../api/client";
import { experiment } from "../api/live";
import type { ExperimentConfigSchema } from "../generated/nni_proto/v1/experiment_config_pb";

/** A field that can be changed, by the name that the protocol has for it. */
export type ChangeableField =
  | "trial_concurrency"
  | "max_trial_number"
  | "max_experiment_duration"
  | "max_trial_duration"
  | "search_space";

/**
 * Changes one field.
 *
 * @param field The field.
 * @param config Its new value; one that is left out takes a limit away.
 * @returns What is wrong with the value, undefined when it holds now.
 */
export async function update(
  field: ChangeableField,
  config: MessageInitShape<typeof ExperimentConfigSchema>,
): Promise<string | undefined> {
  const name = experiment.value?.name;
  if (name === undefined) return "the experiment is not known yet";
  try {
    const updateMask = create(FieldMaskSchema, { paths: [field] });
    const answer = await client.updateExperiment({ name, config, updateMask });
    if (answer.experiment !== undefined) experiment.value = answer.experiment;
    return undefined;
  } catch (error) {
    return problemText(error);
  }
}
