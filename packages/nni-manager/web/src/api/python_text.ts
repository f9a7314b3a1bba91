/** Values of the protocol as Python source. */

import type { Value } from "../generated/nni_proto/v1/value_pb";
import { doubleText } from "./values";

const INDENT = "    ";

/** Returns a value as a Python expression; objects go over several lines. */
export function pythonText(value: Value | undefined, indent = ""): string {
  const kind = value?.kind;
  switch (kind?.case) {
    case undefined:
    case "nullValue":
      return "None";
    case "boolValue":
      return kind.value ? "True" : "False";
    case "intValue":
      return String(kind.value);
    case "doubleValue":
      return Number.isFinite(kind.value) ? doubleText(kind.value) : `float("${pythonName(kind.value)}")`;
    case "stringValue":
      // Python reads every escape that JSON writes.
      return JSON.stringify(kind.value);
    case "listValue":
      return `[${kind.value.values.map((one) => pythonText(one, indent)).join(", ")}]`;
    case "objectValue": {
      const { fields } = kind.value;
      if (fields.length === 0) return "{}";
      const inner = indent + INDENT;
      const lines = fields.map(
        (one) => `${inner}${JSON.stringify(one.key)}: ${pythonText(one.value, inner)},\n`,
      );
      return `{\n${lines.join("")}${indent}}`;
    }
  }
}

function pythonName(value: number): string {
  if (Number.isNaN(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}
