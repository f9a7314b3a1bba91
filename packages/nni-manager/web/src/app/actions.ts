/** What a reader can have done with the experiment. Each says by a toast what became of it. */

import { signal } from "@preact/signals";
import { client, problemText } from "../api/client";
import { experiment, stoppedHere } from "../api/live";
import { idOf } from "../api/page_facts";
import type { Experiment } from "../generated/nni_proto/v1/experiment_pb";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { confirmed } from "../ui/confirm";
import { toast } from "../ui/Toast";
import { counted } from "../ui/text";
import { countOf } from "./progress";

/** The action that goes on at this moment. */
export const acting = signal<"pause" | "unpause" | "stop" | undefined>();

/** Lets running trials finish and starts no new one. */
export function pause(): Promise<void> {
  return act("pause", "Paused: running trials finish, and no new one starts.", (name) =>
    client.pauseExperiment({ name }),
  );
}

/** Lets trials start again. */
export function unpause(): Promise<void> {
  return act("unpause", "Trials start again.", (name) => client.unpauseExperiment({ name }));
}

/** Stops the experiment and its manager, once that is confirmed. */
export async function stop(): Promise<void> {
  const shown = experiment.value;
  if (shown === undefined) return;
  const running = countOf(shown, new Set([Trial_Status.RUNNING, Trial_Status.UNKNOWN]));
  const what = running === 0 ? "No trial runs. " : `${counted(running, "running trial")} will be canceled. `;
  const sure = await confirmed({
    title: "Stop the experiment?",
    text:
      `${what}Its record is closed and its manager ends; this page keeps what it shows.` +
      ` nnictl resume ${idOf(shown.name)} goes on with it later.`,
    action: "Stop the experiment",
  });
  if (!sure) return;
  await act("stop", "The experiment is stopped.", async (name) => {
    const answer = await client.stopExperiment({ name });
    stoppedHere.value = true;
    return answer;
  });
}

async function act(
  what: "pause" | "unpause" | "stop",
  done: string,
  call: (name: string) => Promise<{ experiment?: Experiment }>,
): Promise<void> {
  const name = experiment.value?.name;
  if (name === undefined || acting.value !== undefined) return;
  acting.value = what;
  try {
    const answer = await call(name);
    if (answer.experiment !== undefined) experiment.value = answer.experiment;
    toast(done);
  } catch (error) {
    toast(problemText(error), "failed");
  } finally {
    acting.value = undefined;
  }
}
