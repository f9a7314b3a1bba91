/** How values of columns are written in charts. */

import { formatDuration, formatNumber, formatTime } from "../ui/format";
import { visible } from "../ui/text";

/** What the values of a column are. */
export type ValueKind = "number" | "category" | "duration" | "time";

/**
 * Returns a value of a column as text.
 *
 * @param value The value; of categories their place in `categories`.
 * @param kind What it is.
 * @param categories The texts of categories.
 */
export function formatValue(value: number, kind: ValueKind, categories: readonly string[] = []): string {
  if (kind === "category") return visible(categories[value] ?? "no value");
  if (Number.isNaN(value)) return "no value";
  if (kind === "duration") return formatDuration(value);
  return kind === "time" ? formatTime(value) : formatNumber(value);
}

/** Returns a count with the words for one and for several, such as "1 trial has", "2 trials have". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
