import { describe, expect, it } from "vitest";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { column, frame, made, seriesOf } from "./made_tables";
import { bestSoFar, objectiveHistory } from "./objective_history";

const { SUCCEEDED, FAILED, EARLY_STOPPED } = Trial_Status;

describe("bestSoFar", () => {
  const values = [0.2, 0.9, 0.5, Number.NaN, 0.95];
  const table = made([column("objective", values)], [SUCCEEDED, EARLY_STOPPED, SUCCEEDED, FAILED, SUCCEEDED]);

  it("counts only trials that succeeded", () => {
    expect(bestSoFar(table, values, "maximize")).toEqual([0, 2, 4]);
    expect(bestSoFar(table, values, "minimize")).toEqual([0]);
  });

  it("goes by the numbers of trials, not by the order of rows", () => {
    const turned = { ...table, numbers: [4, 3, 2, 1, 0] };
    expect(bestSoFar(turned, values, "maximize")).toEqual([4]);
  });
});

describe("objectiveHistory", () => {
  it("has a series for each status and the line of the best", () => {
    const table = made([column("objective", [0.2, 0.9, 0.5])], [SUCCEEDED, EARLY_STOPPED, SUCCEEDED]);
    const picture = objectiveHistory({ table, metric: "objective", direction: "maximize" }, frame);
    expect(seriesOf(picture.option).map((one) => [one.name, one.data])).toEqual([
      [
        "Succeeded",
        [
          [0, 0.2],
          [2, 0.5],
        ],
      ],
      ["Early stopped", [[1, 0.9]]],
      [
        "best so far",
        [
          [0, 0.2],
          [2, 0.5],
        ],
      ],
    ]);
    expect(picture.describe({ seriesIndex: 1, dataIndex: 0 })).toEqual({
      title: "Trial 1",
      lines: [
        ["status", "Early stopped"],
        ["objective", "0.9"],
      ],
      trial: "t1",
    });
    expect(picture.describe({ seriesIndex: 2, dataIndex: 1 })?.trial).toBe("t2");
    expect(picture.describe({ seriesIndex: 9, dataIndex: 9 })).toBeUndefined();
    expect(picture.table().rows).toHaveLength(3);
  });

  it("goes on with the best up to the last trial", () => {
    const table = made([column("objective", [0.9, 0.2, 0.3])]);
    const picture = objectiveHistory({ table, metric: "objective", direction: "maximize" }, frame);
    expect(seriesOf(picture.option).at(-1)?.data).toEqual([
      [0, 0.9],
      [2, 0.9],
    ]);
  });

  it("says why it is empty", () => {
    const none = objectiveHistory({ table: made([]), metric: "objective", direction: "maximize" }, frame);
    expect(none.empty).toMatch(/No trial/);
    const table = made([column("objective", [Number.NaN, Number.POSITIVE_INFINITY])]);
    const picture = objectiveHistory({ table, metric: "objective", direction: "maximize" }, frame);
    expect(picture.empty).toMatch(/No trial has a number/);
    expect(picture.notes).toEqual([
      "1 trial has no value of objective.",
      "1 trial has an infinite objective.",
    ]);
  });

  it("shows a single trial, and one metric that is text", () => {
    const one = made([column("objective", [0.5])]);
    expect(
      objectiveHistory({ table: one, metric: "objective", direction: "minimize" }, frame).empty,
    ).toBeUndefined();
    const texts = made([column("metric.kind", ["good", "bad"])]);
    const picture = objectiveHistory({ table: texts, metric: "metric.kind", direction: "maximize" }, frame);
    expect(picture.describe({ seriesIndex: 0, dataIndex: 1 })?.lines).toContainEqual(["metric.kind", "bad"]);
    expect(seriesOf(picture.option).at(-1)?.data).toEqual([]);
  });

  it("says that the service thinned the trials out", () => {
    const table = { ...made([column("objective", [0.5])]), total: 20000 };
    const { notes } = objectiveHistory({ table, metric: "objective", direction: "maximize" }, frame);
    expect(notes[0]).toMatch(/1 of 20000 trials/);
  });
});
