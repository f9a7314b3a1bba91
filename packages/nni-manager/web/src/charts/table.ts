/** The columns of trials that charts draw, in the form that they share. */
import type { Column, ReadColumnsResponse } from "../generated/nni_proto/v1/trial_table_pb";
import { Column_Kind } from "../generated/nni_proto/v1/trial_table_pb";
import type { Value } from "../generated/nni_proto/v1/value_pb";
import type { ValueKind } from "./format";

/** What is known of a column besides its values. */
export interface ColumnInfo {
  name: string;
  kind: ValueKind;
  logarithmic: boolean;
  low?: number;
  high?: number;
  /** The options of a choice as text, in the order of the search space. */
  options: string[];
}

/** A column with one number for each trial: NaN where a trial has none, a category's place in `categories`. */
export interface ColumnData {
  info: ColumnInfo;
  values: number[];
  /** Set when the values are not numbers. */
  categories?: string[];
}

/** Trials with the columns that were asked for. */
export interface TrialTable {
  ids: string[];
  numbers: number[];
  statuses: number[];
  columns: Map<string, ColumnData>;
  /** How many trials the filter holds for; more than there are rows when the service thinned them out. */
  total: number;
}

const kinds: Partial<Record<Column_Kind, ValueKind>> = {
  [Column_Kind.TIME]: "time",
  [Column_Kind.DURATION]: "duration",
  [Column_Kind.TEXT]: "category",
};

/** What the service says of a column. */
export function infoOf(column: Column): ColumnInfo {
  return {
    name: column.name,
    kind: kinds[column.kind] ?? "number",
    logarithmic: column.logarithmic,
    low: column.low,
    high: column.high,
    options: column.options.map(optionText),
  };
}

/** What is assumed of a column that the service did not describe. */
export function unknownInfo(name: string): ColumnInfo {
  const durations = ["duration"];
  const times = ["created", "started", "ended"];
  const kind = durations.includes(name) ? "duration" : times.includes(name) ? "time" : "number";
  return { name, kind, logarithmic: false, options: [] };
}

/** The text that a choice's option has in columns; a nested choice is known by its name. */
export function optionText(value: Value): string {
  const kind = value.kind;
  switch (kind.case) {
    case "stringValue":
      return kind.value;
    case "intValue":
    case "doubleValue":
    case "boolValue":
      return String(kind.value);
    case "objectValue": {
      const name = kind.value.fields.find((field) => field.key === "_name")?.value;
      return name ? optionText(name) : "{…}";
    }
    case "listValue":
      return `[${kind.value.values.map(optionText).join(", ")}]`;
    default:
      return "null";
  }
}

/** The service's answer as a table. */
export function tableOf(answer: ReadColumnsResponse, infos: readonly ColumnInfo[]): TrialTable {
  const known = new Map(infos.map((info) => [info.name, info]));
  const columns = new Map<string, ColumnData>();
  const rows = answer.trialIds.length;
  for (const column of answer.columns) {
    const info = known.get(column.name) ?? unknownInfo(column.name);
    if (column.textIndexes.length > 0) {
      const numbers = mostlyNumbers(info, column.texts);
      columns.set(
        column.name,
        numbers
          ? { info, values: column.textIndexes.map((index) => numbers[index] ?? Number.NaN) }
          : categoriesOf(info, column.texts, column.textIndexes),
      );
    } else {
      const values =
        column.numbers.length === rows ? column.numbers : new Array<number>(rows).fill(Number.NaN);
      columns.set(column.name, { info, values });
    }
  }
  return {
    ids: answer.trialIds,
    numbers: answer.sequenceNumbers,
    statuses: answer.statuses,
    columns,
    total: answer.totalSize,
  };
}

/** With more categories than these, a column whose values are nearly all numbers is one of numbers. */
const MOST_MIXED = 20;

/** Returns the texts as numbers when a few stray texts are all that keeps a column from being one of numbers. */
function mostlyNumbers(info: ColumnInfo, texts: readonly string[]): number[] | undefined {
  if (info.options.length > 0 || texts.length <= MOST_MIXED) return undefined;
  const numbers = texts.map((text) => (text.trim() === "" ? Number.NaN : Number(text)));
  const strays = numbers.filter((number) => Number.isNaN(number)).length;
  return strays < texts.length / 10 ? numbers : undefined;
}

/** All options in the order of the search space, and after them what is not of it by number and letter. */
function categoriesOf(info: ColumnInfo, texts: readonly string[], indexes: readonly number[]): ColumnData {
  const places = new Map(info.options.map((option, place) => [option, place]));
  const place = (text: string) => places.get(text) ?? places.size;
  const categories = [...new Set([...info.options, ...texts])].sort(
    (one, other) => place(one) - place(other) || one.localeCompare(other, undefined, { numeric: true }),
  );
  const newPlaces = new Map(categories.map((text, at) => [text, at]));
  const moved = texts.map((text) => newPlaces.get(text) ?? Number.NaN);
  return {
    info: { ...info, kind: "category" },
    values: indexes.map((index) => moved[index] ?? Number.NaN),
    categories,
  };
}

/** The column of the name; one that the table lacks has no value anywhere. */
export function columnOf(table: TrialTable, name: string): ColumnData {
  return (
    table.columns.get(name) ?? {
      info: unknownInfo(name),
      values: new Array<number>(table.ids.length).fill(Number.NaN),
    }
  );
}

/** Only the rows of these places. */
export function rowsOf(table: TrialTable, places: readonly number[]): TrialTable {
  const pick = <T>(list: readonly T[]): T[] => places.map((place) => list[place] as T);
  const columns = new Map<string, ColumnData>();
  for (const [name, column] of table.columns) columns.set(name, { ...column, values: pick(column.values) });
  return {
    ids: pick(table.ids),
    numbers: pick(table.numbers),
    statuses: pick(table.statuses),
    columns,
    total: table.total,
  };
}
