import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { parseJson } from "../../api/parse_json";
import { jsonText, stringValue } from "../../api/values";
import { Column_Source, ColumnSchema } from "../../generated/nni_proto/v1/trial_table_pb";
import { changedParameters, fieldsOf, problemsByPath, warningOf, wordOf } from "./edited_parameters";

const PARAMETERS = parseJson('{"lr": 0.5, "layer0": {"_name": "Conv", "units": 16}, "id": "12"}');

test("parameters become fields and come back unchanged", () => {
  const fields = fieldsOf(PARAMETERS, []);
  expect(fields.map((field) => [field.path, field.text])).toEqual([
    ["lr", "0.5"],
    ["layer0._name", "Conv"],
    ["layer0.units", "16"],
    ["id", '"12"'],
  ]);
  const texts = new Map(fields.map((field) => [field.path, field.text]));
  expect(jsonText(changedParameters(PARAMETERS, texts))).toBe(jsonText(PARAMETERS));
});

test("a change keeps what a number is", () => {
  const texts = new Map([
    ["lr", "1"],
    ["layer0.units", "32"],
    ["layer0._name", "Dense"],
  ]);
  expect(jsonText(changedParameters(PARAMETERS, texts))).toBe(
    '{"lr": 1.0, "layer0": {"_name": "Dense", "units": 32}, "id": "12"}',
  );
});

test("another choice can be made: what it lacks is left out, what it has is added", () => {
  const momentum = create(ColumnSchema, {
    name: "layer0.momentum",
    source: Column_Source.PARAMETER,
    low: 0,
    high: 1,
  });
  const fields = fieldsOf(PARAMETERS, [momentum]);
  expect(fields.at(-1)).toEqual({ path: "layer0.momentum", column: momentum, text: "" });
  const texts = new Map(fields.map((field) => [field.path, field.text]));
  expect(jsonText(changedParameters(PARAMETERS, texts))).toBe(jsonText(PARAMETERS));
  texts.set("layer0._name", "Pool").set("layer0.units", "").set("layer0.momentum", "0.5");
  expect(jsonText(changedParameters(PARAMETERS, texts))).toBe(
    '{"lr": 0.5, "id": "12", "layer0": {"_name": "Pool", "momentum": 0.5}}',
  );
});

test("what leaves the search space is told before it is sent", () => {
  const column = create(ColumnSchema, { name: "lr", low: 0, high: 1 });
  const choice = create(ColumnSchema, { name: "act", options: [stringValue("relu"), stringValue("tanh")] });
  const field = (one: typeof column) => ({ path: one.name, column: one, text: "" });
  expect(warningOf(field(column), "0.5")).toBeUndefined();
  expect(warningOf(field(column), "2")).toContain("from 0 to 1");
  expect(warningOf(field(column), "fast")).toContain("number");
  expect(warningOf(field(choice), "relu")).toBeUndefined();
  expect(warningOf(field(choice), "sigmoid")).toContain("relu, tanh");
});

test("what the service refuses stands at its field", () => {
  const problems = problemsByPath(
    "parameters.lr: it is missing\nparameters.layer0.units: 3.5 is no integer\nthe experiment has ended",
    ["lr", "layer0", "layer0.units"],
  );
  expect(problems.get("lr")).toBe("it is missing");
  expect(problems.get("layer0.units")).toBe("3.5 is no integer");
  expect(problems.get("")).toBe("the experiment has ended");
});

test("a text that looks like something else is quoted", () => {
  expect(wordOf(stringValue("true"))).toBe('"true"');
  expect(wordOf(stringValue(" x"))).toBe('" x"');
  expect(wordOf(stringValue("x y"))).toBe("x y");
  expect(wordOf(stringValue(""))).toBe('""');
});
