import { expect, test } from "vitest";
import { pythonText } from "./python_text";
import { boolValue, doubleValue, intValue, listValue, nullValue, objectValue, stringValue } from "./values";

test("a value is Python", () => {
  const value = objectValue([
    ["lr", doubleValue(1)],
    ["n", intValue(3n)],
    ["on", boolValue(true)],
    ["none", nullValue()],
    ["nan", doubleValue(Number.NaN)],
    ["list", listValue([intValue(1n), stringValue('say "hi"\n')])],
    ["layer", objectValue([["_name", stringValue("Conv")]])],
    ["empty", objectValue([])],
  ]);
  expect(pythonText(value)).toBe(`{
    "lr": 1.0,
    "n": 3,
    "on": True,
    "none": None,
    "nan": float("nan"),
    "list": [1, "say \\"hi\\"\\n"],
    "layer": {
        "_name": "Conv",
    },
    "empty": {},
}`);
});
