import { expect, test } from "vitest";
import { parseJson } from "./parse_json";
import { parseWord } from "./parse_value";
import { jsonText } from "./values";

test("numbers keep their kind and keys their order", () => {
  const text = '{"b": 1, "a": 1.0, "e": 1e-05, "big": 9007199254740993, "list": [true, null, "x"]}';
  expect(jsonText(parseJson(text))).toBe(text.replace("1e-05", "0.00001"));
});

test("what is no JSON is refused", () => {
  for (const text of ["", "{", "{'a': 1}", "[1,]", "99999999999999999999"]) {
    expect(() => parseJson(text)).toThrow(SyntaxError);
  }
});

test("a word is what it looks like", () => {
  expect(parseWord(" 3 ").kind).toEqual({ case: "intValue", value: 3n });
  expect(parseWord("3.0").kind).toEqual({ case: "doubleValue", value: 3 });
  expect(parseWord("relu").kind).toEqual({ case: "stringValue", value: "relu" });
  expect(parseWord('"3"').kind).toEqual({ case: "stringValue", value: "3" });
  expect(parseWord("true").kind).toEqual({ case: "boolValue", value: true });
  expect(parseWord("NaN").kind).toEqual({ case: "doubleValue", value: Number.NaN });
});
