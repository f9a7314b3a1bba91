import { expect, it } from "vitest";
import { type BestSource, bestCurves } from "./best_curves";
import { column, frame, made, seriesOf } from "./made_tables";

function source(name: string, values: number[], more: Partial<BestSource> = {}): BestSource {
  const ended = column("ended", [130, 110, 150]);
  return {
    name,
    table: made([column("objective", values), ended]),
    direction: "maximize",
    started: 100,
    ...more,
  };
}

it("draws the best so far of each, by its own direction, up to its last trial", () => {
  const sources = [source("a", [1, 3, 2]), source("b", [3, 1, 2], { direction: "minimize" })];
  const picture = bestCurves({ sources, along: "trial" }, frame);
  expect(seriesOf(picture.option).map((one) => [one.name, one.data])).toEqual([
    [
      "a",
      [
        [0, 1],
        [1, 3],
        [2, 3],
      ],
    ],
    [
      "b",
      [
        [0, 3],
        [1, 1],
        [2, 1],
      ],
    ],
  ]);
  expect(picture.notes).toEqual([
    "Some of these experiments minimize and others maximize; each line is the best of its own.",
  ]);
  expect(picture.describe({ seriesIndex: 1, dataIndex: 1 })).toEqual({
    title: "b",
    lines: [
      ["best so far", "1"],
      ["trial", "1"],
    ],
  });
  expect(picture.table().rows).toHaveLength(4);
});

it("goes by when trials ended, along the time", () => {
  const picture = bestCurves({ sources: [source("a", [3, 2, 5])], along: "time" }, frame);
  expect(seriesOf(picture.option)[0]?.data).toEqual([
    [10, 2],
    [30, 3],
    [50, 5],
  ]);
});

it("takes the end of a trial that is not known as the last one", () => {
  const table = made([column("objective", [3, 2, 5]), column("ended", [Number.NaN, 110, 150])]);
  const picture = bestCurves({ sources: [source("a", [], { table })], along: "time" }, frame);
  expect(seriesOf(picture.option)[0]?.data).toEqual([
    [10, 2],
    [50, 5],
  ]);
});

it("says which experiments have nothing to show", () => {
  const nothing = source("b", [Number.NaN, Number.NaN, Number.NaN]);
  const picture = bestCurves({ sources: [source("a", [1, 2, 3]), nothing], along: "trial" }, frame);
  expect(picture.notes).toEqual(["No trial has succeeded with a number yet in: b."]);
  expect(bestCurves({ sources: [nothing], along: "trial" }, frame).empty).toBeDefined();
});
