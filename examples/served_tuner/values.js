// The protocol's values and those of JavaScript.
"use strict";

function toValue(value) {
  if (value === null) return { nullValue: "NULL_VALUE" };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
  if (typeof value === "string") return { stringValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
  const fields = Object.entries(value).map(([key, element]) => ({ key, value: toValue(element) }));
  return { objectValue: { fields } };
}

function fromValue(value) {
  switch (value.kind) {
    case "nullValue":
      return null;
    case "intValue":
      return Number(value.intValue);
    case "listValue":
      return value.listValue.values.map(fromValue);
    case "objectValue":
      return fromFields(value.objectValue);
    default:
      return value[value.kind];
  }
}

// The arguments of an algorithm are an ObjectValue of their own.
function fromFields({ fields }) {
  return Object.fromEntries(fields.map(({ key, value }) => [key, fromValue(value)]));
}

module.exports = { toValue, fromValue, fromFields };
