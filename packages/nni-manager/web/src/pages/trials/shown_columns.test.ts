import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { Column_Kind, Column_Source, ColumnSchema } from "../../generated/nni_proto/v1/trial_table_pb";
import { isChoice, moved, shownColumns, usualColumns, widthOf } from "./shown_columns";

const column = (name: string, source: Column_Source) => create(ColumnSchema, { name, source });
const COLUMNS = [
  ...["number", "id", "status", "objective", "duration", "host"].map((name) =>
    column(name, Column_Source.TRIAL),
  ),
  column("lr", Column_Source.PARAMETER),
  column("layer0.units", Column_Source.PARAMETER),
  column("metric.default", Column_Source.METRIC),
  column("metric.loss", Column_Source.METRIC),
];

test("a table that nobody changed shows what most want to see", () => {
  expect(usualColumns(COLUMNS)).toEqual([
    "number",
    "id",
    "status",
    "duration",
    "objective",
    "lr",
    "layer0.units",
    "metric.loss",
  ]);
});

test("a choice keeps its order, and columns that are gone are left out", () => {
  const choice = { names: ["lr", "gone", "number"], widths: {} };
  expect(shownColumns(COLUMNS, choice).map((one) => one.name)).toEqual(["lr", "number"]);
});

test("a width that was read back stays reasonable", () => {
  const lr = column("lr", Column_Source.PARAMETER);
  expect(widthOf(lr, { names: [], widths: { lr: 1 } })).toBeGreaterThan(40);
  expect(widthOf(lr, { names: [], widths: { lr: 1e9 } })).toBeLessThan(2000);
  expect(widthOf(create(ColumnSchema, { name: "t", kind: Column_Kind.TIME }), undefined)).toBe(160);
});

test("columns are moved", () => {
  expect(moved(["a", "b", "c"], "a", 2)).toEqual(["b", "c", "a"]);
  expect(moved(["a", "b", "c"], "c", 0)).toEqual(["c", "a", "b"]);
  expect(moved(["a", "b"], "b", 99)).toEqual(["a", "b"]);
});

test("what is no choice is told apart", () => {
  expect(isChoice({ names: ["a"], widths: { a: 3 } })).toBe(true);
  for (const other of [null, 3, {}, { names: "a", widths: {} }, { names: [1], widths: {} }]) {
    expect(isChoice(other)).toBe(false);
  }
});
