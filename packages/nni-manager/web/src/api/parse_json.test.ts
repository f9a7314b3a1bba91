import { describe, expect, it } from "vitest";
import { parseJson } from "./parse_json";
import { jsonText, plain } from "./values";

describe("parseJson", () => {
  it.each([
    '{"b": 1, "a": 1.0, "c": [true, null, "x"]}',
    "9223372036854775807",
    "-9223372036854775808",
    "NaN",
    "-Infinity",
    "1e-07",
    '"\\u00e9 \\" \\\\"',
    "{}",
    "[]",
  ])("reads %s and writes it the same", (text) => {
    const value = parseJson(text);
    expect(jsonText(parseJson(jsonText(value)))).toBe(jsonText(value));
    if (!text.includes("e-07") && !text.includes("u00e9")) expect(jsonText(value)).toBe(text);
  });

  it("keeps integers and floats apart", () => {
    expect(parseJson("1").kind.case).toBe("intValue");
    expect(parseJson("1.0").kind.case).toBe("doubleValue");
    expect(parseJson("1e3").kind).toMatchObject({ case: "doubleValue", value: 1000 });
  });

  it("keeps integers that a number cannot hold", () => {
    expect(plain(parseJson("9007199254740993"))).toBe(9007199254740993n);
  });

  it.each([
    ["", "line 1, column 1: a value is expected"],
    ['{"a": 1,\n "a": 2}', 'line 2, column 2: the key "a" appears twice'],
    ['{"a" 1}', "line 1, column 6: a colon is expected"],
    ["{a: 1}", "line 1, column 2: a key in double quotes is expected"],
    ["[1 2]", "line 1, column 4: a comma or ] is expected"],
    ['["x\n"]', "does not end on its line"],
    ["9223372036854775808", "more than 64 bits"],
    ["1 2", "something after the end"],
    ['"\\x"', "does not allow"],
  ])("says what is wrong with %s", (text, problem) => {
    expect(() => parseJson(text)).toThrow(problem);
  });
});
