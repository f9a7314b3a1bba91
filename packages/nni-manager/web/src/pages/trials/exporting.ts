/** Saves what the table shows as a file. */

import { client } from "../../api/client";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import { saveAs } from "../../ui/clipboard";
import { cellOf } from "./cells";
import { csvText, jsonRows } from "./export_rows";

const PER_CALL = 1000;

/**
 * Returns the trials that a filter holds for, in an order.
 *
 * @param parent The experiment's resource name.
 * @param filter The filter.
 * @param orderBy The order.
 * @param first How many trials to leave out before the first one.
 * @param most At most so many.
 */
export async function allTrials(
  parent: string,
  filter: string,
  orderBy: string,
  first = 0,
  most = Number.POSITIVE_INFINITY,
): Promise<Trial[]> {
  const trials: Trial[] = [];
  let pageToken = "";
  do {
    const pageSize = Math.min(PER_CALL, most - trials.length);
    const skip = pageToken === "" ? first : 0;
    const response = await client.listTrials({ parent, filter, orderBy, pageSize, pageToken, skip });
    trials.push(...response.trials);
    pageToken = response.nextPageToken;
  } while (pageToken !== "" && trials.length < most);
  return trials;
}

/** Saves trials as CSV or JSON, with the columns given. */
export function saveTrials(
  form: "csv" | "json",
  name: string,
  trials: readonly Trial[],
  columns: readonly Column[],
): void {
  const names = columns.map((column) => column.name);
  const rows = trials.map((trial) => columns.map((column) => cellOf(trial, column)));
  if (form === "csv") saveAs(`${name}.csv`, csvText(names, rows), "text/csv;charset=utf-8");
  else saveAs(`${name}.json`, jsonRows(names, rows), "application/json");
}
