/** The shapes of statuses in charts: colour alone tells nobody anything who does not see it. */

import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { TRIAL_STATUSES } from "../ui/statuses";

/** The name of a shape, and how many degrees it is turned. */
type Shape = [name: string, turned?: number];

const SHAPES: Partial<Record<Trial_Status, Shape>> = {
  [Trial_Status.WAITING]: ["emptyRect"],
  [Trial_Status.RUNNING]: ["triangle"],
  [Trial_Status.SUCCEEDED]: ["circle"],
  [Trial_Status.FAILED]: ["diamond"],
  [Trial_Status.USER_CANCELED]: ["rect"],
  [Trial_Status.SYS_CANCELED]: ["rect", 45],
  [Trial_Status.EARLY_STOPPED]: ["triangle", 180],
};

/** Returns the shape of a status, as the chart library names it. */
export function statusShape(status: Trial_Status): { symbol: string; symbolRotate: number } {
  const [symbol, symbolRotate = 0] = SHAPES[status] ?? ["emptyCircle"];
  return { symbol, symbolRotate };
}

const ORDER: readonly Trial_Status[] = [...TRIAL_STATUSES.keys()];

/** Returns the place of a status in legends. */
export function statusPlace(status: Trial_Status): number {
  const place = ORDER.indexOf(status);
  return place < 0 ? ORDER.length : place;
}
