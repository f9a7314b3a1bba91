/** Parameters that a person changes before a trial is made of them. */

import { parseWord } from "../../api/parse_value";
import { jsonText, leaves, objectValue, plain } from "../../api/values";
import { type Column, Column_Source } from "../../generated/nni_proto/v1/trial_table_pb";
import type { Value } from "../../generated/nni_proto/v1/value_pb";

/** One parameter to fill in. */
export interface ParameterField {
  /** Its path in the parameters. */
  path: string;
  /** What the search space says of it, undefined when it says nothing. */
  column: Column | undefined;
  /** The value before, as a person writes it; empty for one that is not there. */
  text: string;
}

/** Returns the fields of parameters, and of what the search space names besides, as in other choices. */
export function fieldsOf(parameters: Value, columns: readonly Column[]): ParameterField[] {
  const byPath = new Map(
    columns
      .filter((column) => column.source === Column_Source.PARAMETER)
      .map((column) => [column.name.replace(/^parameter\./, ""), column]),
  );
  const there = leaves(parameters).map(({ path, value }) => ({
    path,
    column: byPath.get(path),
    text: wordOf(value),
  }));
  const others = [...byPath].filter(
    ([path, column]) => hasRange(column) && !there.some((field) => field.path === path),
  );
  return [...there, ...others.map(([path, column]) => ({ path, column, text: "" }))];
}

/** Whether trials of the search space can be without a parameter. */
export function canBeLeftOut(field: ParameterField): boolean {
  return field.text === "" || field.path.includes(".");
}

/** Returns a value as a person writes it: text without quotes where nothing else could be meant. */
export function wordOf(value: Value): string {
  if (value.kind.case !== "stringValue") return jsonText(value);
  const text = value.kind.value;
  const isPlain = text !== "" && text.trim() === text && parseWord(text).kind.case === "stringValue";
  return isPlain ? text : JSON.stringify(text);
}

/**
 * Returns the parameters with the texts in the place of their leaves; others stay as they are.
 *
 * A leaf whose text is empty is left out, and one that was not there is added.
 */
export function changedParameters(parameters: Value, texts: ReadonlyMap<string, string>): Value {
  const there = new Set(leaves(parameters).map((leaf) => leaf.path));
  const added = [...texts].filter(([path, text]) => text.trim() !== "" && !there.has(path));
  return added.reduce(
    (value, [path, text]) => withLeaf(value, path, parseWord(text)),
    changed(parameters, texts, ""),
  );
}

/** Returns why a text does not fit the search space, undefined when it does or nothing is known. */
export function warningOf(field: ParameterField, text: string): string | undefined {
  const { column } = field;
  if (column === undefined || text.trim() === "") return undefined;
  const value = plain(parseWord(text));
  if (column.options.length > 0) {
    const options = column.options.map((option) => plain(option));
    return options.includes(value) ? undefined : `allowed are ${options.map(String).join(", ")}`;
  }
  if (!hasRange(column)) return undefined;
  if (typeof value !== "number") return "a number is wanted";
  const below = column.low !== undefined && value < column.low;
  const above = column.high !== undefined && value > column.high;
  return below || above ? `the search space goes from ${column.low} to ${column.high}` : undefined;
}

/**
 * Returns what the service refused, by the path of the parameter; what concerns none of them under "".
 *
 * @param problem The refusal, one problem a line, such as `parameters.lr: it is missing`.
 * @param paths The paths of the fields.
 */
export function problemsByPath(problem: string, paths: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const longestFirst = [...paths].sort((one, other) => other.length - one.length);
  for (const line of problem.split("\n")) {
    const path = longestFirst.find((one) => line.startsWith(`parameters.${one}:`)) ?? "";
    const text = path === "" ? line : line.slice(`parameters.${path}:`.length).trim();
    found.set(path, [found.get(path), text].filter(Boolean).join("\n"));
  }
  return found;
}

function hasRange(column: Column): boolean {
  return column.options.length > 0 || column.low !== undefined || column.high !== undefined;
}

/** Returns an object with a leaf added. A name with a point in it is taken for two names, one in the other. */
function withLeaf(value: Value, path: string, leaf: Value): Value {
  const fields =
    value.kind.case === "objectValue"
      ? value.kind.value.fields.map((field): [string, Value] => [field.key, field.value ?? parseWord("null")])
      : [];
  const [first = "", ...rest] = path.split(".");
  if (rest.length === 0) return objectValue([...fields, [first, leaf]]);
  const inner = fields.find(([key]) => key === first)?.[1] ?? objectValue([]);
  const made = withLeaf(inner, rest.join("."), leaf);
  return objectValue([...fields.filter(([key]) => key !== first), [first, made]]);
}

function changed(value: Value, texts: ReadonlyMap<string, string>, path: string): Value {
  if (value.kind.case === "objectValue") {
    return objectValue(
      value.kind.value.fields.flatMap((field): [string, Value][] => {
        const inner = path === "" ? field.key : `${path}.${field.key}`;
        if (texts.get(inner)?.trim() === "") return [];
        const before = field.value ?? parseWord("null");
        return [[field.key, changed(before, texts, inner)]];
      }),
    );
  }
  const text = texts.get(path);
  if (text === undefined || text === wordOf(value)) return value;
  const parsed = parseWord(text);
  // 1 in the place of 0.5 is meant as the double 1.0.
  if (value.kind.case === "doubleValue" && parsed.kind.case === "intValue")
    return parseWord(`${text.trim()}.0`);
  return parsed;
}
