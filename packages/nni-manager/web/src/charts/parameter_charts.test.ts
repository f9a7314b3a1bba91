import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { GetParameterImportanceResponseSchema } from "../generated/nni_proto/v1/trial_table_pb";
import { contour, mapCells } from "./contour";
import { correlation } from "./correlation";
import { importance } from "./importance";
import { column, frame, made, seriesOf } from "./made_tables";
import { slices } from "./slices";

// The last trial was customised: it lacks parameters.
const table = made([
  column("lr", [0.001, 0.01, 0.1, 1, Number.NaN], { logarithmic: true }),
  column("momentum", [0.1, 0.2, 0.3, 0.9, Number.NaN]),
  column("optimizer", ["adam", "sgd", "adam", "sgd", "adam"]),
  column("objective", [1, 2, 3, 4, 5]),
]);

describe("slices", () => {
  it("has a plot for each parameter that has values", () => {
    const picture = slices({ table, parameters: ["lr", "optimizer", "gone"], metric: "objective" }, frame);
    expect(picture.option.grid).toHaveLength(2);
    expect(picture.marks().map((group) => group.length)).toEqual([4, 5]);
    expect(picture.notes.join()).toMatch(/has a value of gone/);
    expect(picture.describe({ seriesIndex: 1, dataIndex: 1 })?.lines).toContainEqual(["optimizer", "sgd"]);
  });

  it("becomes higher where it is narrow", () => {
    const data = { table, parameters: ["lr", "momentum"], metric: "objective" };
    expect(slices(data, { ...frame, width: 320 }).height).toBeGreaterThan(slices(data, frame).height ?? 0);
  });

  it("says why it is empty", () => {
    expect(slices({ table, parameters: [], metric: "objective" }, frame).empty).toMatch(/no parameter/);
    expect(slices({ table, parameters: ["lr"], metric: "loss" }, frame).empty).toMatch(/number as loss/);
    expect(slices({ table, parameters: ["gone"], metric: "objective" }, frame).empty).toMatch(/both/);
  });
});

describe("contour", () => {
  const data = { table, x: "lr", y: "momentum", metric: "objective", direction: "maximize" } as const;

  it("interpolates between trials and draws them", () => {
    const picture = contour(data, frame);
    const [cells, points] = seriesOf(picture.option);
    expect(cells?.data.length).toBeGreaterThan(10);
    expect(points?.data).toHaveLength(4);
    expect(picture.notes.join()).toMatch(/left out: 1/);
    expect(picture.describe({ seriesIndex: 0, dataIndex: 0 })).toBeUndefined();
    expect(picture.describe({ seriesIndex: 1, dataIndex: 3 })?.trial).toBe("t3");
  });

  it("keeps values within those of the trials, and nothing between categories", () => {
    const lr = table.columns.get("lr");
    const optimizer = table.columns.get("optimizer");
    if (!lr || !optimizer) throw new Error("the table lacks its columns");
    const cells = mapCells(optimizer, lr, [1, 2, 3, 4, 5], [0, 1, 2, 3]);
    const sgd = cells.filter(([left]) => left === 0.5).map((cell) => cell[4]);
    expect(sgd.length).toBeGreaterThan(0);
    expect(Math.min(...sgd)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...cells.map((cell) => cell[4]))).toBeLessThanOrEqual(4);
  });

  it("needs two parameters and interpolates nothing between few trials", () => {
    expect(contour({ ...data, y: "" }, frame).empty).toMatch(/two different parameters/);
    const few = made([column("lr", [1]), column("momentum", [0]), column("objective", [1])]);
    const picture = contour({ ...data, table: few }, frame);
    expect(picture.empty).toBeUndefined();
    expect(seriesOf(picture.option)[0]?.data).toEqual([]);
    const none = made([column("lr", [Number.NaN]), column("momentum", [0]), column("objective", [1])]);
    expect(contour({ ...data, table: none }, frame).empty).toMatch(/No trial has lr, momentum/);
  });
});

describe("importance", () => {
  const answer = create(GetParameterImportanceResponseSchema, {
    importances: [
      { parameter: "lr", importance: 0.9, standardDeviation: 0.1, rankCorrelation: -0.5 },
      { parameter: "optimizer", importance: 0.1, standardDeviation: 0.2 },
    ],
    method: "permutation",
    trialCount: 40,
  });

  it("says how it was measured, with errors and correlations", () => {
    const picture = importance({ answer, metric: "objective" }, frame);
    expect(picture.notes[0]).toBe("Measured by permutation on 40 trials.");
    expect(seriesOf(picture.option)[1]?.data).toEqual([
      [0.8, 1, 0],
      [0, expect.closeTo(0.3), 1],
    ]);
    expect(picture.describe({ seriesIndex: 2, dataIndex: 1 })?.lines[1]?.[1]).toMatch(/^none/);
    expect(picture.table().rows[0]).toEqual(["lr", "90 %", "10 %", "-0.5"]);
  });

  it("says why it is empty", () => {
    const nothing = create(GetParameterImportanceResponseSchema, {});
    expect(importance({ answer: nothing, metric: "objective" }, frame).empty).toMatch(/no parameter/);
  });
});

describe("correlation", () => {
  it("compares the columns that are numbers", () => {
    const picture = correlation({ table, columns: ["objective", "lr", "optimizer"] }, frame);
    expect(picture.table().rows).toEqual([
      ["objective", "1", "1"],
      ["lr", "1", "1"],
    ]);
    expect(picture.notes.join()).toMatch(/optimizer/);
    expect(picture.describe({ seriesIndex: 0, dataIndex: 1 })?.lines).toContainEqual(["trials", "4"]);
  });

  it("leaves cells empty that have no correlation", () => {
    const flat = made([column("x", [1, 1, 1]), column("y", [1, 2, 3])]);
    const picture = correlation({ table: flat, columns: ["x", "y"] }, frame);
    expect(picture.table().rows[0]).toEqual(["x", "1", "none"]);
    expect(picture.notes.join()).toMatch(/three trials/);
  });

  it("says why it is empty", () => {
    expect(correlation({ table, columns: ["optimizer", "lr"] }, frame).empty).toMatch(/Fewer than two/);
  });
});
