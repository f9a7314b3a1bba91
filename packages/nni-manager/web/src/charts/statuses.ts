/** How the statuses of trials look in charts: each has a colour and a shape of its own. */
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";

export interface StatusLook {
  word: string;
  symbol: string;
}

const looks: Record<number, StatusLook> = {
  [Trial_Status.UNSPECIFIED]: { word: "unknown", symbol: "emptyCircle" },
  [Trial_Status.UNKNOWN]: { word: "unknown", symbol: "emptyCircle" },
  [Trial_Status.WAITING]: { word: "waiting", symbol: "emptyRect" },
  [Trial_Status.RUNNING]: { word: "running", symbol: "triangle" },
  [Trial_Status.SUCCEEDED]: { word: "succeeded", symbol: "circle" },
  [Trial_Status.FAILED]: { word: "failed", symbol: "diamond" },
  [Trial_Status.USER_CANCELED]: { word: "canceled by a user", symbol: "rect" },
  [Trial_Status.SYS_CANCELED]: { word: "canceled by the system", symbol: "roundRect" },
  [Trial_Status.EARLY_STOPPED]: { word: "stopped early", symbol: "pin" },
};

/** The order of statuses in legends. */
export const statusOrder: readonly Trial_Status[] = [
  Trial_Status.SUCCEEDED,
  Trial_Status.EARLY_STOPPED,
  Trial_Status.RUNNING,
  Trial_Status.WAITING,
  Trial_Status.FAILED,
  Trial_Status.USER_CANCELED,
  Trial_Status.SYS_CANCELED,
  Trial_Status.UNKNOWN,
];

/** The word and the shape of a status; one that this page does not know looks like an unknown one. */
export function statusLook(status: number): StatusLook {
  return looks[status] ?? { word: "unknown", symbol: "emptyCircle" };
}
