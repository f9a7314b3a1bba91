import { client, problemText } from "../../api/client";
import { type Trial, Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { Button } from "../../ui/Button";
import { confirmed } from "../../ui/confirm";
import { toast } from "../../ui/Toast";
import { mayChangeTrials } from "./may_change";
import { createTrial } from "./TrialForm";

const NOT_ENDED = new Set([Trial_Status.WAITING, Trial_Status.RUNNING, Trial_Status.UNKNOWN]);

/** Whether a trial can still be stopped. */
export function canBeStopped(trial: Trial): boolean {
  return NOT_ENDED.has(trial.status);
}

/** What can be done with one trial. */
export function TrialActions({ trial, onClone }: { trial: Trial; onClone: (trial: Trial) => void }) {
  if (!mayChangeTrials.value) return null;
  return (
    <>
      {canBeStopped(trial) && (
        <Button kind="danger" icon="stop" onClick={() => kill([trial])}>
          Kill
        </Button>
      )}
      {!canBeStopped(trial) && (
        <Button icon="refresh" title="Adds a trial with the same parameters" onClick={() => retry(trial)}>
          Run again
        </Button>
      )}
      <Button icon="copy" title="Adds a trial with changed parameters" onClick={() => onClone(trial)}>
        Clone
      </Button>
    </>
  );
}

/** Stops trials after asking. */
export async function kill(trials: readonly Trial[]): Promise<void> {
  const numbers = trials.map((trial) => trial.sequenceNumber).join(", ");
  const yes = await confirmed({
    title: trials.length === 1 ? `Kill trial ${numbers}?` : `Kill ${trials.length} trials?`,
    text: "What they have reported is kept. They count as canceled by a user.",
    action: "Kill",
  });
  if (!yes) return;
  const answers = await Promise.allSettled(trials.map((trial) => client.cancelTrial({ name: trial.name })));
  const failure = answers.find((answer) => answer.status === "rejected");
  if (failure === undefined) toast(`Stopping ${trials.length === 1 ? `trial ${numbers}` : "the trials"}.`);
  else toast(`Not all could be stopped: ${problemText(failure.reason)}`, "failed");
}

async function retry(trial: Trial): Promise<void> {
  if (trial.parameters === undefined) {
    toast("This trial has no parameters to run again with.", "failed");
    return;
  }
  try {
    await createTrial(trial.name.slice(0, trial.name.lastIndexOf("/trials/")), trial.parameters);
  } catch (error) {
    toast(`It cannot run again: ${problemText(error)}`, "failed");
  }
}
