import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { stringValue } from "../../api/values";
import { Column_Source, ColumnSchema } from "../../generated/nni_proto/v1/trial_table_pb";
import { completed, problemAt, quoted, suggestions, wordAt } from "./filter_words";

const COLUMNS = [
  create(ColumnSchema, { name: "status", source: Column_Source.TRIAL }),
  create(ColumnSchema, { name: "lr", source: Column_Source.PARAMETER }),
  create(ColumnSchema, {
    name: "layer0._name",
    source: Column_Source.PARAMETER,
    options: [stringValue("Conv"), stringValue("two words")],
  }),
];

test("the word at the cursor", () => {
  expect(wordAt("lr > 1 and layer0._na", 21)).toEqual({ start: 11, end: 21, text: "layer0._na" });
  expect(wordAt("lr > 1", 1)).toEqual({ start: 0, end: 2, text: "l" });
});

test("columns are suggested where a column can stand", () => {
  expect(suggestions("la", 2, COLUMNS)).toEqual(["layer0._name"]);
  expect(suggestions("_na", 3, COLUMNS)).toEqual(["layer0._name"]);
  expect(suggestions("", 0, COLUMNS)).toEqual([]);
});

test("values are suggested after their column", () => {
  expect(suggestions("status = FA", 11, COLUMNS)).toEqual(["FAILED"]);
  expect(suggestions("layer0._name in (", 17, COLUMNS)).toEqual(["Conv", '"two words"']);
  expect(suggestions("layer0._name in (Conv, ", 23, COLUMNS)).toContain('"two words"');
});

test("a suggestion takes the word's place", () => {
  expect(completed("la > 3", 2, "layer0._name")).toEqual({ text: "layer0._name > 3", cursor: 12 });
  expect(completed("l", 1, "lr")).toEqual({ text: "lr ", cursor: 3 });
});

test("where a refusal points", () => {
  expect(problemAt("filter: character 14: there is no column `lrr`; did you mean lr?")).toBe(13);
  expect(problemAt("the manager does not answer")).toBeUndefined();
});

test("text is quoted where it has to be", () => {
  expect(quoted("Conv")).toBe("Conv");
  expect(quoted('say "hi"')).toBe('"say \\"hi\\""');
  expect(quoted("1e-3")).toBe('"1e-3"');
});
