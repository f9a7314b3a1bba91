/** The words, colours and icons of statuses. The words are those of the protocol and of NNI. */

import { Experiment_Status } from "../generated/nni_proto/v1/experiment_pb";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import type { IconName } from "./Icon";

/** How a status is shown. */
export interface StatusLook {
  /** The word for it. */
  word: string;
  /** The end of the name of its colour, --status-TONE. */
  tone: "waiting" | "running" | "succeeded" | "failed" | "canceled" | "early-stopped" | "unknown";
  /** Its icon: colour alone tells nobody anything who does not see it. */
  icon: IconName;
}

/** The looks of trials' statuses, in the order in which they are listed. */
export const TRIAL_STATUSES: ReadonlyMap<Trial_Status, StatusLook> = new Map([
  [Trial_Status.SUCCEEDED, { word: "Succeeded", tone: "succeeded", icon: "check" }],
  [Trial_Status.RUNNING, { word: "Running", tone: "running", icon: "play" }],
  [Trial_Status.WAITING, { word: "Waiting", tone: "waiting", icon: "clock" }],
  [Trial_Status.EARLY_STOPPED, { word: "Early stopped", tone: "early-stopped", icon: "skip" }],
  [Trial_Status.FAILED, { word: "Failed", tone: "failed", icon: "cross" }],
  [Trial_Status.USER_CANCELED, { word: "User canceled", tone: "canceled", icon: "stop" }],
  [Trial_Status.SYS_CANCELED, { word: "Sys canceled", tone: "canceled", icon: "stop" }],
  [Trial_Status.UNKNOWN, { word: "Unknown", tone: "unknown", icon: "question" }],
]);

/** The looks of experiments' statuses. */
export const EXPERIMENT_STATUSES: ReadonlyMap<Experiment_Status, StatusLook> = new Map([
  [Experiment_Status.INITIALIZED, { word: "Initialized", tone: "waiting", icon: "clock" }],
  [Experiment_Status.RUNNING, { word: "Running", tone: "running", icon: "play" }],
  [Experiment_Status.ERROR, { word: "Error", tone: "failed", icon: "cross" }],
  [Experiment_Status.STOPPING, { word: "Stopping", tone: "canceled", icon: "stop" }],
  [Experiment_Status.STOPPED, { word: "Stopped", tone: "canceled", icon: "stop" }],
  [Experiment_Status.DONE, { word: "Done", tone: "succeeded", icon: "check" }],
  [Experiment_Status.NO_MORE_TRIAL, { word: "No more trial", tone: "running", icon: "play" }],
  [Experiment_Status.TUNER_NO_MORE_TRIAL, { word: "Tuner: no more trial", tone: "running", icon: "play" }],
  [Experiment_Status.VIEWED, { word: "Viewed", tone: "unknown", icon: "eye" }],
]);

const UNKNOWN: StatusLook = { word: "Unknown", tone: "unknown", icon: "question" };

/** Returns how a trial's status is shown. */
export function trialLook(status: Trial_Status): StatusLook {
  return TRIAL_STATUSES.get(status) ?? UNKNOWN;
}

/** Returns how an experiment's status is shown. */
export function experimentLook(status: Experiment_Status): StatusLook {
  return EXPERIMENT_STATUSES.get(status) ?? UNKNOWN;
}

/** Returns a trial's status as filters write it, such as EARLY_STOPPED. */
export function filterName(status: Trial_Status): string {
  return Trial_Status[status] ?? "UNKNOWN";
}
