import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { objectValue, stringValue } from "../api/values";
import {
  Column_Kind,
  ColumnSchema,
  ReadColumnsResponseSchema,
} from "../generated/nni_proto/v1/trial_table_pb";
import { columnOf, infoOf, optionText, rowsOf, tableOf } from "./table";

const answer = create(ReadColumnsResponseSchema, {
  trialIds: ["a", "b", "c"],
  sequenceNumbers: [0, 1, 2],
  statuses: [4, 4, 5],
  columns: [
    { name: "lr", numbers: [0.1, Number.NaN, 0.3] },
    { name: "units", texts: ["128", "auto", "16"], textIndexes: [0, 2, -1] },
    { name: "optimizer", texts: ["adam", "sgd"], textIndexes: [0, 1, 1] },
    { name: "nothing" },
  ],
  totalSize: 9,
});

describe("tableOf", () => {
  const infos = [
    infoOf(
      create(ColumnSchema, {
        name: "optimizer",
        kind: Column_Kind.TEXT,
        options: [stringValue("sgd"), stringValue("rms"), stringValue("adam")],
      }),
    ),
  ];
  const table = tableOf(answer, infos);

  it("keeps numbers", () => {
    expect(columnOf(table, "lr").values).toEqual([0.1, Number.NaN, 0.3]);
    expect(table.total).toBe(9);
  });

  it("orders mixed values by number, then by letter", () => {
    const units = columnOf(table, "units");
    expect(units.categories).toEqual(["16", "128", "auto"]);
    expect(units.values).toEqual([1, 0, Number.NaN]);
  });

  it("has all options in the order of the search space, tried or not", () => {
    expect(columnOf(table, "optimizer").categories).toEqual(["sgd", "rms", "adam"]);
    expect(columnOf(table, "optimizer").values).toEqual([2, 0, 0]);
  });

  it("has no values in a column that the service left empty or that it does not have", () => {
    expect(columnOf(table, "nothing").values).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(columnOf(table, "other").values).toHaveLength(3);
  });

  it("takes a column of many numbers with a stray text as one of numbers", () => {
    const texts = [...Array.from({ length: 30 }, (_, at) => String(at / 10)), "auto"];
    const mixed = create(ReadColumnsResponseSchema, {
      trialIds: texts,
      columns: [{ name: "dropout", texts, textIndexes: texts.map((_, at) => at) }],
    });
    const dropout = columnOf(tableOf(mixed, []), "dropout");
    expect(dropout.categories).toBeUndefined();
    expect(dropout.values[7]).toBe(0.7);
    expect(dropout.values[30]).toBeNaN();
  });

  it("can be cut down to some rows", () => {
    const less = rowsOf(table, [2]);
    expect(less.ids).toEqual(["c"]);
    expect(columnOf(less, "lr").values).toEqual([0.3]);
  });
});

it("names a nested option by its _name", () => {
  const nested = objectValue([
    ["_name", stringValue("Conv")],
    ["units", stringValue("8")],
  ]);
  expect(optionText(nested)).toBe("Conv");
});
