/** Values as YAML, in the form in which nnictl reads configurations. */

import type { Value } from "../generated/nni_proto/v1/value_pb";
import { doubleText, jsonText } from "./values";

// What YAML reads as something else than this text.
const AMBIGUOUS =
  /^(?:|[-?:,[\]{}#&*!|>'"%@`~\s].*|.*[:#]\s.*|.*[:\s]|(?:true|false|yes|no|on|off|y|n|null|none)|[-+.]?\d.*|\.(?:inf|nan)|---.*)$/i;
const PLAIN_ALPHABET = /^[\x21-\x7e\u00a1-\u1fff\u2070-\ud7ff][\x20-\x7e\u00a1-\u1fff\u2070-\ud7ff]*$/;

/** Returns a value as YAML text that ends with a line break. */
export function yamlText(value: Value): string {
  return `${block(value, "").replace(/^\n/, "")}\n`;
}

function block(value: Value, indent: string): string {
  const { kind } = value;
  if (kind.case === "objectValue" && kind.value.fields.length > 0) {
    const lines = kind.value.fields.map((field) => {
      const inner = field.value === undefined ? " null" : spaced(block(field.value, `${indent}  `));
      return `${indent}${scalarText(field.key)}:${inner}`;
    });
    return `\n${lines.join("\n")}`;
  }
  if (kind.case === "listValue" && kind.value.values.length > 0) {
    if (kind.value.values.every(isScalar)) return `[${kind.value.values.map(scalar).join(", ")}]`;
    const lines = kind.value.values.map((one) => {
      const inner = block(one, `${indent}  `);
      // The first line of what is in the list goes behind its dash.
      return `${indent}- ${inner.startsWith("\n") ? inner.slice(1 + indent.length + 2) : inner}`;
    });
    return `\n${lines.join("\n")}`;
  }
  return scalar(value);
}

function spaced(text: string): string {
  return text.startsWith("\n") ? text : ` ${text}`;
}

function isScalar(value: Value): boolean {
  return value.kind.case !== "objectValue" && value.kind.case !== "listValue";
}

function scalar(value: Value): string {
  const { kind } = value;
  if (kind.case === "stringValue") return scalarText(kind.value);
  if (kind.case === "doubleValue") return number(kind.value);
  return jsonText(value);
}

function number(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  const text = doubleText(value);
  // YAML 1.1 takes 1e-5 for text: its floats have a point and a sign.
  const [mantissa = "", exponent] = text.split("e");
  if (exponent === undefined) return text;
  const signed = exponent.startsWith("-") || exponent.startsWith("+") ? exponent : `+${exponent}`;
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}e${signed}`;
}

function scalarText(text: string): string {
  return AMBIGUOUS.test(text) || !PLAIN_ALPHABET.test(text) || /[,[\]{}]/.test(text)
    ? JSON.stringify(text)
    : text;
}
