import { describe, expect, it } from "vitest";
import { column, frame, made, seriesOf } from "./made_tables";
import { pareto, paretoFront } from "./pareto";

const points: [number, number][] = [
  [1, 5],
  [2, 3],
  [3, 4],
  [4, 1],
  [2, 3],
];

describe("paretoFront", () => {
  it("keeps what no other point beats, equals included", () => {
    expect(paretoFront(points, "minimize", "minimize")).toEqual([0, 1, 4, 3]);
    expect(paretoFront(points, "maximize", "maximize")).toEqual([3, 2, 0]);
    expect(paretoFront(points, "minimize", "maximize")).toEqual([0]);
  });

  it("agrees with the definition", () => {
    const many = Array.from({ length: 60 }, (_, at): [number, number] => [(at * 37) % 17, (at * 53) % 19]);
    const beaten = (at: number) =>
      many.some(
        ([x, y]) =>
          x <= (many[at]?.[0] ?? 0) &&
          y >= (many[at]?.[1] ?? 0) &&
          (x < (many[at]?.[0] ?? 0) || y > (many[at]?.[1] ?? 0)),
      );
    const expected = many.map((_, at) => at).filter((at) => !beaten(at));
    expect(paretoFront(many, "minimize", "maximize").sort((one, other) => one - other)).toEqual(expected);
  });
});

describe("pareto", () => {
  const table = made([column("accuracy", [0.9, 0.8, 0.7, Number.NaN]), column("latency", [10, 5, 6, 1])]);
  const data = {
    table,
    x: "accuracy",
    y: "latency",
    xDirection: "maximize",
    yDirection: "minimize",
  } as const;

  it("draws the front apart from the rest", () => {
    const picture = pareto(data, frame);
    const series = seriesOf(picture.option);
    expect(series.at(-1)?.data).toEqual([
      [0.9, 10],
      [0.8, 5],
    ]);
    expect(series[0]?.data).toEqual([[0.7, 6]]);
    expect(picture.notes).toContain("2 of 3 trials are on the front.");
    expect(picture.notes).toContain("1 trial has no value of accuracy.");
    expect(picture.describe({ seriesIndex: 1, dataIndex: 0 })?.lines.at(-1)).toEqual(["", "on the front"]);
  });

  it("works when every trial is on the front", () => {
    const picture = pareto(
      { ...data, table: made([column("accuracy", [1]), column("latency", [1])]) },
      frame,
    );
    expect(picture.marks().flat()).toHaveLength(1);
  });

  it("says what is missing", () => {
    expect(pareto({ ...data, y: "other" }, frame).empty).toMatch(/accuracy and other/);
    expect(pareto({ ...data, y: "accuracy" }, frame).notes.join()).toMatch(/same metric/);
  });
});
