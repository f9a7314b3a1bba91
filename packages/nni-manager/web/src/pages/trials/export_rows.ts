/** Rows of the table as CSV and JSON. */

import type { Cell } from "./cells";

/**
 * Returns rows as CSV (RFC 4180). A text that a spreadsheet would take for a formula gets a ' before it.
 *
 * @param names The names of the columns.
 * @param rows The cells of each row, in the order of the columns.
 */
export function csvText(names: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return [names, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

/** Returns rows as a JSON list of objects; NaN and the infinities are written as Python's json reads them. */
export function jsonRows(names: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const objects = rows.map((row) => {
    const fields = names.flatMap((name, at) => {
      const cell = row[at];
      return cell === undefined ? [] : [`${JSON.stringify(name)}: ${jsonCell(cell)}`];
    });
    return `  {${fields.join(", ")}}`;
  });
  return `[\n${objects.join(",\n")}\n]\n`;
}

function csvCell(cell: Cell): string {
  if (cell === undefined) return "";
  if (typeof cell === "number") return numberText(cell);
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function jsonCell(cell: number | string): string {
  return typeof cell === "number" ? numberText(cell) : JSON.stringify(cell);
}

function numberText(value: number): string {
  return String(value);
}
