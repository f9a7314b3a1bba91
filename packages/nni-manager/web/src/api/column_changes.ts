/** Notices when trials have something that none had before, so that columns are asked for then alone. */

import { signal } from "@preact/signals";
import type { Trial } from "../generated/nni_proto/v1/trial_pb";
import type { Value } from "../generated/nni_proto/v1/value_pb";
import { leaves } from "./values";

/** Rises when there may be other columns than before. */
export const columnsVersion = signal(0);

const seen = new Set<string>();

/** Forgets which columns were seen: another experiment is shown, or this one was out of touch. */
export function forgetColumns(): void {
  seen.clear();
  columnsVersion.value += 1;
}

/** Takes note of trials that have changed. */
export function noteColumns(trials: readonly Trial[]): void {
  const before = seen.size;
  for (const trial of trials) {
    noteKeys("parameter", trial.parameters);
    noteKeys("metric", trial.finalResult);
    noteKeys("intermediate", trial.latestIntermediate);
    if (trial.host !== "") seen.add("host");
    if (trial.gpus.length > 0) seen.add("gpus");
  }
  if (seen.size > before) columnsVersion.value += 1;
}

function noteKeys(source: string, value: Value | undefined): void {
  if (value === undefined) return;
  for (const leaf of leaves(value)) seen.add(`${source} ${leaf.path} ${leaf.value.kind.case}`);
}
