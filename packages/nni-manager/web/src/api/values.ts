/** Values of the protocol as JavaScript values and as JSON text. Integers and floats stay apart. */

import { create } from "@bufbuild/protobuf";
import {
  ListValueSchema,
  ObjectValue_FieldSchema,
  ObjectValueSchema,
  type Value,
  ValueSchema,
} from "../generated/nni_proto/v1/value_pb";

/** A value as JavaScript has it; integers that a number cannot hold exactly are bigints. */
export type Plain = null | boolean | number | bigint | string | Plain[] | { [key: string]: Plain };

/** Returns a value as JavaScript has it. */
export function plain(value: Value | undefined): Plain | undefined {
  const kind = value?.kind;
  switch (kind?.case) {
    case undefined:
      return undefined;
    case "nullValue":
      return null;
    case "intValue":
      return Number.isSafeInteger(Number(kind.value)) ? Number(kind.value) : kind.value;
    case "listValue":
      return kind.value.values.map((one) => plain(one) ?? null);
    case "objectValue":
      return Object.fromEntries(kind.value.fields.map((field) => [field.key, plain(field.value) ?? null]));
    default:
      return kind?.value;
  }
}

/** Returns a value as the number it is, undefined for anything else. */
export function numberOf(value: Value | undefined): number | undefined {
  const kind = value?.kind;
  if (kind?.case === "doubleValue") return kind.value;
  return kind?.case === "intValue" ? Number(kind.value) : undefined;
}

/** Returns a double as JSON has it: with a fraction or an exponent, so that it stays a double. */
export function doubleText(value: number): string {
  const text = String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/**
 * Returns a value as JSON. NaN and the infinities are written as Python's json writes them.
 *
 * @param indent How many spaces each level gets; 0 writes one line.
 */
export function jsonText(value: Value | undefined, indent = 0): string {
  return written(value, indent, "\n");
}

function written(value: Value | undefined, indent: number, newLine: string): string {
  const kind = value?.kind;
  switch (kind?.case) {
    case undefined:
    case "nullValue":
      return "null";
    case "doubleValue":
      return doubleText(kind.value);
    case "intValue":
    case "boolValue":
      return String(kind.value);
    case "stringValue":
      return JSON.stringify(kind.value);
    case "listValue": {
      const inner = newLine + " ".repeat(indent);
      return enclosed(
        "[]",
        kind.value.values.map((one) => written(one, indent, inner)),
        indent,
        newLine,
      );
    }
    case "objectValue": {
      const inner = newLine + " ".repeat(indent);
      return enclosed(
        "{}",
        kind.value.fields.map((one) => `${JSON.stringify(one.key)}: ${written(one.value, indent, inner)}`),
        indent,
        newLine,
      );
    }
  }
}

function enclosed(brackets: string, items: string[], indent: number, newLine: string): string {
  const [open, close] = brackets;
  if (items.length === 0) return brackets;
  if (indent === 0) return `${open}${items.join(", ")}${close}`;
  const inner = newLine + " ".repeat(indent);
  return `${open}${inner}${items.join(`,${inner}`)}${newLine}${close}`;
}

/** One entry of a flattened value: its path, such as layer0.units, and what is there. */
export interface Leaf {
  path: string;
  value: Value;
}

/** Returns the leaves of an object, nested ones by their path; lists are leaves. */
export function leaves(value: Value | undefined, prefix = ""): Leaf[] {
  if (value?.kind.case !== "objectValue") return value === undefined ? [] : [{ path: prefix, value }];
  return value.kind.value.fields.flatMap((field) =>
    leaves(field.value, prefix === "" ? field.key : `${prefix}.${field.key}`),
  );
}

/** Makes a value of an integer. */
export function intValue(value: bigint): Value {
  return create(ValueSchema, { kind: { case: "intValue", value } });
}

/** Makes a value of any number but an integer. */
export function doubleValue(value: number): Value {
  return create(ValueSchema, { kind: { case: "doubleValue", value } });
}

/** Makes a value of a text. */
export function stringValue(value: string): Value {
  return create(ValueSchema, { kind: { case: "stringValue", value } });
}

/** Makes a value of true or false. */
export function boolValue(value: boolean): Value {
  return create(ValueSchema, { kind: { case: "boolValue", value } });
}

/** Makes null. */
export function nullValue(): Value {
  return create(ValueSchema, { kind: { case: "nullValue", value: 0 } });
}

/** Makes a value of a list. */
export function listValue(values: Value[]): Value {
  return create(ValueSchema, { kind: { case: "listValue", value: create(ListValueSchema, { values }) } });
}

/** Makes a value of an object, its keys in the order given. */
export function objectValue(fields: [string, Value][]): Value {
  const made = fields.map(([key, value]) => create(ObjectValue_FieldSchema, { key, value }));
  return create(ValueSchema, {
    kind: { case: "objectValue", value: create(ObjectValueSchema, { fields: made }) },
  });
}
