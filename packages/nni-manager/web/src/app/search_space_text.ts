import { jsonText } from "../api/values";
import type { Value } from "../generated/nni_proto/v1/value_pb";

/** Returns a search space as JSON with one parameter on a line, nested choices on lines of their own. */
export function searchSpaceText(space: Value): string {
  return lines(space, "");
}

const LINE_CHARACTERS = 100;

function lines(value: Value, indent: string): string {
  const line = jsonText(value);
  const { kind } = value;
  if (indent !== "" && indent.length + line.length <= LINE_CHARACTERS) return line;
  const inner = `${indent}  `;
  if (kind.case === "objectValue" && kind.value.fields.length > 0) {
    const fields = kind.value.fields.map((field) => {
      const content = field.value === undefined ? "null" : lines(field.value, inner);
      return `${inner}${JSON.stringify(field.key)}: ${content}`;
    });
    return `{\n${fields.join(",\n")}\n${indent}}`;
  }
  if (kind.case === "listValue" && kind.value.values.length > 0) {
    const items = kind.value.values.map((one) => inner + lines(one, inner));
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  return line;
}
