/** Helps to write a filter: what can stand where the cursor is. */

import { plain } from "../../api/values";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import { filterName, TRIAL_STATUSES } from "../../ui/statuses";

/** The part of a filter that is being written. */
export interface Word {
  start: number;
  end: number;
  text: string;
}

const KEYWORDS = ["and", "or", "not", "in", "has("];
const WORD = /[\p{L}\p{N}_.$-]+$/u;
const REST = /^[\p{L}\p{N}_.$-]*/u;
const BEFORE_VALUE = /([\p{L}\p{N}_.$-]+)\s*(?:=|!=|~|(?:not\s+)?in\s*\([^)]*)\s*$/u;
const MOST = 8;

/** Returns the word that the cursor is in or at the end of. */
export function wordAt(text: string, cursor: number): Word {
  const before = WORD.exec(text.slice(0, cursor))?.[0] ?? "";
  const after = REST.exec(text.slice(cursor))?.[0] ?? "";
  return { start: cursor - before.length, end: cursor + after.length, text: before };
}

/**
 * Returns what the word at the cursor could become: columns, or the values of the column before it.
 *
 * @param text The filter so far.
 * @param cursor Where the cursor is.
 * @param columns The columns that trials have.
 */
export function suggestions(text: string, cursor: number, columns: readonly Column[]): string[] {
  const word = wordAt(text, cursor);
  const named = BEFORE_VALUE.exec(text.slice(0, word.start))?.[1];
  const choices =
    named === undefined ? [...columns.map((one) => one.name), ...KEYWORDS] : values(named, columns);
  const wanted = word.text.toLowerCase();
  if (wanted === "" && named === undefined) return [];
  const starting = choices.filter((choice) => choice.toLowerCase().startsWith(wanted));
  const holding = choices.filter(
    (choice) => !starting.includes(choice) && choice.toLowerCase().includes(wanted) && wanted.length > 1,
  );
  return [...starting, ...holding].filter((choice) => choice !== word.text).slice(0, MOST);
}

/** Returns the filter with the word at the cursor replaced, and where the cursor is then. */
export function completed(text: string, cursor: number, choice: string): { text: string; cursor: number } {
  const word = wordAt(text, cursor);
  const space = choice.endsWith("(") || text.slice(word.end).startsWith(" ") ? "" : " ";
  const start = text.slice(0, word.start) + choice + space;
  return { text: start + text.slice(word.end), cursor: start.length };
}

/** Returns where in a filter a refusal points, from 0; undefined when it points nowhere. */
export function problemAt(problem: string): number | undefined {
  const found = /\bcharacter (\d+)/.exec(problem)?.[1];
  return found === undefined ? undefined : Number(found) - 1;
}

/** Returns a text as a filter has it: in quotes where it needs them. */
export function quoted(text: string): string {
  return /^[A-Za-z_][\w]*$/.test(text) ? text : `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

function values(name: string, columns: readonly Column[]): string[] {
  if (name === "status") return [...TRIAL_STATUSES.keys()].map(filterName);
  const column = columns.find((one) => one.name === name);
  return (column?.options ?? []).map((option) => {
    const value = plain(option);
    return typeof value === "string" ? quoted(value) : String(value);
  });
}
