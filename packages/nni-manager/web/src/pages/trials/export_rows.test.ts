import { expect, test } from "vitest";
import { csvText, jsonRows } from "./export_rows";

test("CSV quotes what needs quotes", () => {
  expect(
    csvText(
      ["number", "layer0._name"],
      [
        [1, 'a "b", c\nd'],
        [2, undefined],
      ],
    ),
  ).toBe('number,layer0._name\r\n1,"a ""b"", c\nd"\r\n2,\r\n');
});

test("a spreadsheet takes no text for a formula, and numbers stay numbers", () => {
  expect(csvText(["x"], [["=1+1"], ["@cmd"], ["-2"], [-2], [Number.NaN]])).toBe(
    "x\r\n'=1+1\r\n'@cmd\r\n'-2\r\n-2\r\nNaN\r\n",
  );
});

test("JSON leaves out what a trial does not have", () => {
  expect(
    jsonRows(
      ["number", "lr"],
      [
        [1, 0.5],
        [2, undefined],
      ],
    ),
  ).toBe('[\n  {"number": 1, "lr": 0.5},\n  {"number": 2}\n]\n');
});
