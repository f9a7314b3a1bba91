import { describe, expect, it } from "vitest";
import { column, frame, made, seriesOf } from "./made_tables";
import { bestRows, parallel, parallelScale } from "./parallel";

describe("bestRows", () => {
  const values = [0.1, 0.9, Number.NaN, 0.5, 0.7];

  it("takes the best share by the direction", () => {
    expect(bestRows(values, "maximize", 0.5)).toEqual([1, 4]);
    expect(bestRows(values, "minimize", 0.25)).toEqual([0]);
  });

  it("keeps at least one, and everything at 1", () => {
    expect(bestRows(values, "maximize", 0.01)).toEqual([1]);
    expect(bestRows(values, "maximize", 1)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("parallel", () => {
  const table = made([
    column("lr", [0.001, 0.1, Number.NaN], { logarithmic: true, low: 0.0001, high: 1 }),
    column("layer0._name", ["Conv", "Dense", "Conv"]),
    column("objective", [0.5, 0.9, Number.NaN]),
  ]);
  const data = {
    table,
    axes: ["lr", "layer0._name"],
    metric: "objective",
    direction: "maximize" as const,
    top: 1,
  };

  it("makes an axis for each column with the range of the search space", () => {
    const { option } = parallel(data, frame);
    const axes = option.parallelAxis as { type: string; min?: number; max?: number; data?: string[] }[];
    expect(axes.map((axis) => axis.type)).toEqual(["log", "category"]);
    expect([axes[0]?.min, axes[0]?.max]).toEqual([0.0001, 1]);
    expect(axes[1]?.data).toEqual(["Conv", "Dense"]);
  });

  it("leaves out values that a trial has not and says which lines are grey", () => {
    const picture = parallel(data, frame);
    const values = seriesOf(picture.option)[0]?.data.map((item) => (item as { value: unknown }).value);
    expect(values).toEqual([
      [0.001, 0, 0.5],
      [0.1, 1, 0.9],
      ["-", 0, "-"],
    ]);
    expect(picture.notes.join()).toMatch(/without a number as objective: 1/);
  });

  it("gives the most striking colour to the best", () => {
    const inRange = (direction: "maximize" | "minimize") =>
      (parallel({ ...data, direction }, frame).option.visualMap as { inRange: { color: string[] } }).inRange
        .color;
    expect(inRange("maximize").at(-1)).toBe("--scale-1");
    expect(inRange("minimize")[0]).toBe("--scale-1");
  });

  it("shows one axis, no axis and no trial", () => {
    expect(parallel({ ...data, axes: ["lr"] }, frame).notes.join()).toMatch(/one axis/);
    expect(parallel({ ...data, axes: [] }, frame).empty).toMatch(/at least one axis/);
    expect(parallel({ ...data, table: made([]) }, frame).empty).toMatch(/No trial/);
  });

  it("has no colours for equal metrics", () => {
    const same = made([column("lr", [1, 2]), column("objective", [3, 3])]);
    expect(parallel({ ...data, table: same }, frame).option.visualMap).toBeUndefined();
  });

  it("is linear where a value has no logarithm", () => {
    expect(parallelScale(column("x", [0, 10]), "logarithmic")).toBe("linear");
    expect(parallelScale(column("x", [1, 10]), "logarithmic")).toBe("logarithmic");
  });
});
