/** Which columns the table has, in which order and how wide; remembered for each experiment. */

import { type Column, Column_Kind, Column_Source } from "../../generated/nni_proto/v1/trial_table_pb";

/** What a reader chose; a table that nobody changed has no choice and shows the usual columns. */
export interface ColumnChoice {
  /** The names of the columns, in their order. */
  names: string[];
  /** Their widths in CSS pixels, where changed. */
  widths: Record<string, number>;
}

const USUAL = ["number", "id", "status", "duration", "objective"];
/** Those of a narrow screen, where the details have the rest. */
const NARROW = ["number", "status", "objective"];
const MOST_PARAMETERS = 8;
const LEAST_WIDTH = 48;
const MOST_WIDTH = 1200;

const WIDTHS: Record<string, number> = { number: 104, id: 100, status: 164, duration: 110, reason: 320 };

/** Whether something that was read back is a choice. */
export function isChoice(value: unknown): value is ColumnChoice {
  if (typeof value !== "object" || value === null) return false;
  const { names, widths } = value as Partial<ColumnChoice>;
  return (
    Array.isArray(names) &&
    names.every((name) => typeof name === "string") &&
    typeof widths === "object" &&
    widths !== null &&
    Object.values(widths).every((width) => typeof width === "number")
  );
}

/** Returns the columns that a table shows before anybody has chosen. */
export function usualColumns(columns: readonly Column[], narrow = false): string[] {
  if (narrow) return NARROW;
  const parameters = columns.filter((column) => column.source === Column_Source.PARAMETER);
  const metrics = columns.filter(
    (column) => column.source === Column_Source.METRIC && column.name !== "metric.default",
  );
  const names = [...parameters.slice(0, MOST_PARAMETERS), ...metrics.slice(0, MOST_PARAMETERS)];
  return [...USUAL, ...names.map((column) => column.name)].filter((name) =>
    columns.some((column) => column.name === name),
  );
}

/**
 * Returns the columns to show, in order; those of a choice that are gone are left out.
 *
 * @param columns The columns that there are.
 * @param choice What the reader chose, undefined for the usual columns.
 * @param narrow Whether the screen is that of a phone.
 */
export function shownColumns(
  columns: readonly Column[],
  choice: ColumnChoice | undefined,
  narrow = false,
): Column[] {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const names = choice?.names ?? usualColumns(columns, narrow);
  return names.flatMap((name) => byName.get(name) ?? []);
}

/** Returns the width of a column in CSS pixels. */
export function widthOf(column: Column, choice: ColumnChoice | undefined): number {
  const chosen = choice?.widths[column.name];
  if (chosen !== undefined) return Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, chosen));
  if (column.source === Column_Source.TRIAL && column.name in WIDTHS) return WIDTHS[column.name] ?? 0;
  if (column.kind === Column_Kind.TIME) return 160;
  return Math.min(220, Math.max(124, column.name.length * 8 + 56));
}

/**
 * Returns the names with one moved.
 *
 * @param names The names in order.
 * @param name Which one.
 * @param to Where it stands afterwards.
 */
export function moved(names: readonly string[], name: string, to: number): string[] {
  const others = names.filter((other) => other !== name);
  const place = Math.max(0, Math.min(others.length, to));
  return [...others.slice(0, place), name, ...others.slice(place)];
}
