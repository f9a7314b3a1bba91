/** Parameters that a person changes before a trial is made of them. */

import { parseWord } from "../../api/parse_value";
import { jsonText, leaves, objectValue, plain } from "../../api/values";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import type { Value } from "../../generated/nni_proto/v1/value_pb";

/** One parameter to fill in. */
export interface ParameterField {
  /** Its path in the parameters. */
  path: string;
  /** What the search space says of it, undefined when it says nothing. */
  column: Column | undefined;
  /** The value before, as a person writes it. */
  text: string;
}

/** Returns the fields of parameters. */
export function fieldsOf(parameters: Value, columns: readonly Column[]): ParameterField[] {
  return leaves(parameters).map(({ path, value }) => ({
    path,
    column: columns.find((column) => column.name === path || column.name === `parameter.${path}`),
    text: wordOf(value),
  }));
}

/** Returns a value as a person writes it: text without quotes where nothing else could be meant. */
export function wordOf(value: Value): string {
  if (value.kind.case !== "stringValue") return jsonText(value);
  const text = value.kind.value;
  return parseWord(text).kind.case === "stringValue" && text.trim() === text ? text : JSON.stringify(text);
}

/** Returns the parameters with the texts in the place of their leaves; others stay as they are. */
export function changedParameters(parameters: Value, texts: ReadonlyMap<string, string>): Value {
  return changed(parameters, texts, "");
}

/** Returns why a text does not fit the search space, undefined when it does or nothing is known. */
export function warningOf(field: ParameterField, text: string): string | undefined {
  const { column } = field;
  if (column === undefined) return undefined;
  const value = plain(parseWord(text));
  if (column.options.length > 0) {
    const options = column.options.map((option) => plain(option));
    return options.includes(value) ? undefined : `allowed are ${options.map(String).join(", ")}`;
  }
  if (column.low === undefined && column.high === undefined) return undefined;
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

function changed(value: Value, texts: ReadonlyMap<string, string>, path: string): Value {
  if (value.kind.case === "objectValue") {
    return objectValue(
      value.kind.value.fields.map((field) => {
        const inner = path === "" ? field.key : `${path}.${field.key}`;
        return [
          field.key,
          field.value === undefined ? parseWord("null") : changed(field.value, texts, inner),
        ];
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
