/** How far the experiment is and how long it may still take. */

import { writtenSeconds } from "../api/durations";
import type { Experiment } from "../generated/nni_proto/v1/experiment_pb";
import { Experiment_Status } from "../generated/nni_proto/v1/experiment_pb";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { secondsOf } from "../ui/format";

/** How far the experiment is. */
export interface Progress {
  /** How many trials have ended. */
  ended: number;
  /** How many there may be, undefined without a limit. */
  most: number | undefined;
  /** How long it has run, in seconds, time stopped not counted. */
  seconds: number;
  /** How long it may run, in seconds, undefined without a limit. */
  mostSeconds: number | undefined;
  /** How far it is by the limit that is nearer, from 0 to 1; undefined without a limit. */
  share: number | undefined;
}

const ENDED = new Set([
  Trial_Status.SUCCEEDED,
  Trial_Status.FAILED,
  Trial_Status.USER_CANCELED,
  Trial_Status.SYS_CANCELED,
  Trial_Status.EARLY_STOPPED,
]);
const GOES_ON = new Set([
  Experiment_Status.RUNNING,
  Experiment_Status.NO_MORE_TRIAL,
  Experiment_Status.TUNER_NO_MORE_TRIAL,
  Experiment_Status.STOPPING,
]);
const STARTS_TRIALS = Experiment_Status.RUNNING;

/** Whether time and trials still go on. */
export function goesOn(experiment: Experiment): boolean {
  return GOES_ON.has(experiment.status);
}

/** Whether changes and new trials can still do something. */
export function canChange(experiment: Experiment): boolean {
  return goesOn(experiment) || experiment.status === Experiment_Status.DONE;
}

/** Returns how many trials have one of these statuses. */
export function countOf(experiment: Experiment, statuses: ReadonlySet<Trial_Status>): number {
  return experiment.trialCounts.reduce((sum, one) => (statuses.has(one.status) ? sum + one.count : sum), 0);
}

/**
 * Returns how far an experiment is.
 *
 * @param experiment The experiment.
 * @param sinceRead How many seconds ago it was read.
 */
export function progressOf(experiment: Experiment, sinceRead = 0): Progress {
  const ended = countOf(experiment, ENDED);
  const most = experiment.config?.maxTrialNumber;
  const ticking = goesOn(experiment) ? sinceRead : 0;
  const seconds = (secondsOf(experiment.runningTime) ?? 0) + ticking;
  const mostSeconds = writtenSeconds(experiment.config?.maxExperimentDuration);
  const shares = [
    most === undefined || most <= 0 ? undefined : ended / most,
    mostSeconds === undefined || mostSeconds <= 0 ? undefined : seconds / mostSeconds,
  ].filter((share) => share !== undefined);
  return {
    ended,
    most,
    seconds,
    mostSeconds,
    share: shares.length === 0 ? undefined : Math.min(1, Math.max(...shares)),
  };
}

/**
 * Estimates how long an experiment will go on, in seconds; undefined when nothing is known of that.
 *
 * The trials left take as many rounds as the concurrency needs, each of the trials' mean duration; the limit of
 * the experiment's duration may come first.
 *
 * @param experiment The experiment.
 * @param meanTrial How long a trial takes, in seconds, undefined when none has ended.
 * @param sinceRead How many seconds ago the experiment was read.
 */
export function secondsLeft(
  experiment: Experiment,
  meanTrial: number | undefined,
  sinceRead = 0,
): number | undefined {
  const { ended, most, seconds, mostSeconds } = progressOf(experiment, sinceRead);
  if (experiment.status !== STARTS_TRIALS || experiment.paused) return undefined;
  const byTime = mostSeconds === undefined ? undefined : Math.max(0, mostSeconds - seconds);
  const byTrials =
    most === undefined ? undefined : trialSeconds(experiment, most - ended, meanTrial, sinceRead);
  if (byTime === undefined || byTrials === undefined) return byTime ?? byTrials;
  return Math.min(byTime, byTrials);
}

function trialSeconds(
  experiment: Experiment,
  left: number,
  mean: number | undefined,
  sinceRead: number,
): number | undefined {
  if (left <= 0) return 0;
  if (mean === undefined) return undefined;
  const slots = Math.max(1, Math.min(left, experiment.config?.trialConcurrency ?? 1));
  // Trials that run are half done on average.
  const running = Math.min(left, countOf(experiment, new Set([Trial_Status.RUNNING])));
  return Math.max(mean / 2, ((left - running / 2) * mean) / slots - sinceRead);
}
