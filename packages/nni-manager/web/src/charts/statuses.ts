/** The shapes of statuses in charts: colour alone tells nobody anything who does not see it. */

import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { TRIAL_STATUSES } from "../ui/statuses";

const SYMBOLS: Partial<Record<Trial_Status, string>> = {
  [Trial_Status.WAITING]: "emptyRect",
  [Trial_Status.RUNNING]: "triangle",
  [Trial_Status.SUCCEEDED]: "circle",
  [Trial_Status.FAILED]: "diamond",
  [Trial_Status.USER_CANCELED]: "rect",
  [Trial_Status.SYS_CANCELED]: "roundRect",
  [Trial_Status.EARLY_STOPPED]: "pin",
};

/** Returns the name of a status's shape. */
export function statusSymbol(status: Trial_Status): string {
  return SYMBOLS[status] ?? "emptyCircle";
}

const ORDER: readonly Trial_Status[] = [...TRIAL_STATUSES.keys()];

/** Returns the place of a status in legends. */
export function statusPlace(status: Trial_Status): number {
  const place = ORDER.indexOf(status);
  return place < 0 ? ORDER.length : place;
}
