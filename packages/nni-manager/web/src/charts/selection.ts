/** Filters, in the service's language, from what is chosen on a chart. */

import type { ColumnData } from "./table";

const plainName = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const words = new Set(["and", "or", "not", "in", "has"]);

/** Returns a text in quotation marks, as filters write it. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** Returns a column's name as filters write it. */
export function nameInFilter(name: string): string {
  return plainName.test(name) && !words.has(name.toLowerCase()) ? name : quoted(name);
}

/** A stretch of a column, or some of its categories. */
export interface Choice {
  column: ColumnData;
  ranges: [low: number, high: number][];
}

/** Returns the number rounded to six digits, outwards so that nothing at the edge is lost. */
function edge(value: number, up: boolean): string {
  const near = Number(value.toPrecision(6));
  if (value === 0 || (up ? near >= value : near <= value)) return String(near);
  const step = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 5);
  return String(Number((up ? near + step : near - step).toPrecision(6)));
}

/** Returns the filter that holds for what is chosen; "" when nothing is. */
export function filterOf(choices: readonly Choice[]): string {
  const terms = choices.map(({ column, ranges }) => {
    const name = nameInFilter(column.info.name);
    if (column.categories) {
      const chosen = column.categories.filter((_, place) =>
        ranges.some(([low, high]) => place >= low && place <= high),
      );
      return chosen.length > 0 ? `${name} in (${chosen.map(quoted).join(", ")})` : "";
    }
    const whole = column.values.every((value) => Number.isNaN(value) || Number.isInteger(value));
    const parts = ranges.map(([low, high]) =>
      whole
        ? `${name} >= ${Math.ceil(low)} and ${name} <= ${Math.floor(high)}`
        : `${name} >= ${edge(low, false)} and ${name} <= ${edge(high, true)}`,
    );
    if (parts.length > 1) return `(${parts.map((part) => `(${part})`).join(" or ")})`;
    return parts[0] ?? "";
  });
  return terms.filter(Boolean).join(" and ");
}

/** Returns the rows that every choice holds for; a row without a value is in no stretch. */
export function rowsInside(choices: readonly Choice[], rows: number): number[] {
  const inside: number[] = [];
  for (let row = 0; row < rows; row++) {
    const held = choices.every(({ column, ranges }) => {
      const value = column.values[row] ?? Number.NaN;
      return ranges.length === 0 || ranges.some(([low, high]) => value >= low && value <= high);
    });
    if (held) inside.push(row);
  }
  return inside;
}

/** Returns the query of the trials page that shows one trial, opened. */
export function trialQuery(trial: string): URLSearchParams {
  return new URLSearchParams({ filter: `id = ${quoted(trial)}`, open: trial });
}
