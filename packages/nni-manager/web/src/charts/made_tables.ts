/** Small tables and frames for the tests of pictures. */

import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import type { Frame } from "./picture";
import { type ColumnData, type ColumnInfo, type TrialTable, unknownInfo } from "./table";
import { themeOf } from "./theme";

/** Returns a column; texts become categories in the order in which they come. */
export function column(
  name: string,
  values: readonly (number | string)[],
  info: Partial<ColumnInfo> = {},
): ColumnData {
  const texts = values.filter((value) => typeof value === "string");
  if (texts.length === 0) return { info: { ...unknownInfo(name), ...info }, values: values as number[] };
  const categories = [...new Set(values.map(String))].filter((text) => text !== "NaN");
  return {
    info: { ...unknownInfo(name), kind: "category", ...info },
    values: values.map((value) => {
      const place = categories.indexOf(String(value));
      return place < 0 ? Number.NaN : place;
    }),
    categories,
  };
}

/** Returns a table of trials that succeeded unless `statuses` says otherwise. */
export function made(columns: readonly ColumnData[], statuses?: readonly Trial_Status[]): TrialTable {
  const rows = columns[0]?.values.length ?? 0;
  const numbers = Array.from({ length: rows }, (_, row) => row);
  return {
    ids: numbers.map((number) => `t${number}`),
    numbers,
    statuses: numbers.map((row) => statuses?.[row] ?? Trial_Status.SUCCEEDED),
    columns: new Map(columns.map((one) => [one.info.name, one])),
    total: rows,
  };
}

/** A frame whose colours are the names of their properties. */
export const frame: Frame = { theme: themeOf((property) => property, false, true), width: 1000 };

/** Returns the series of a picture's option. */
export function seriesOf(option: { series?: unknown }): { type: string; name: string; data: unknown[] }[] {
  return [option.series ?? []].flat() as { type: string; name: string; data: unknown[] }[];
}
