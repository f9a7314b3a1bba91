// @vitest-environment happy-dom

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { CurveSchema } from "../generated/nni_proto/v1/trial_table_pb";
import { curves } from "./curves";
import { frame, seriesOf } from "./made_tables";

function curve(
  number: number,
  values: number[],
  status = Trial_Status.SUCCEEDED,
  pointCount = values.length,
) {
  return create(CurveSchema, {
    trial: `experiments/e/trials/t${number}`,
    sequenceNumber: number,
    status,
    indexes: values.map((_, index) => index),
    values,
    pointCount,
  });
}

describe("curves", () => {
  const data = {
    curves: [
      curve(0, [1, Number.NaN, 3]),
      curve(1, [2], Trial_Status.RUNNING),
      curve(2, [Number.NaN], Trial_Status.FAILED),
    ],
    total: 10,
    key: "",
  };
  const picture = curves(data, frame);

  it("gives each trial a colour of its own when it is told to", () => {
    const [first, , second] = seriesOf(curves({ ...data, colored: "trial" }, frame).option);
    expect([first?.name, second?.name]).toEqual(["Trial 0", "Trial 1"]);
  });

  it("leaves out what is no number and shows a single result as a dot", () => {
    const [lines, ends, running] = seriesOf(picture.option);
    expect(lines?.data).toEqual([
      {
        coords: [
          [0, 1],
          [2, 3],
        ],
      },
    ]);
    expect(ends?.data).toEqual([[2, 3]]);
    expect(running?.data).toEqual([
      {
        coords: [
          [0, 2],
          [0, 2],
        ],
      },
    ]);
  });

  it("tells what is left out", () => {
    expect(picture.notes).toEqual([
      "3 of 10 curves are shown.",
      "1 trial has no number to show here.",
      "Results without a place on the axis are left out: 2.",
    ]);
  });

  it("describes lines and their ends alike", () => {
    const line = picture.describe({ seriesIndex: 0, dataIndex: 0 });
    expect(line).toEqual(picture.describe({ seriesIndex: 1, dataIndex: 0 }));
    expect(line?.trial).toBe("t0");
    expect(picture.marks()).toEqual([[{ seriesIndex: 0, dataIndex: 0 }], [{ seriesIndex: 2, dataIndex: 0 }]]);
  });

  it("says why it is empty", () => {
    expect(curves({ curves: [], total: 0, key: "" }, frame).empty).toMatch(/No trial/);
    const none = curves({ curves: [curve(0, [Number.NaN])], total: 1, key: "loss" }, frame);
    expect(none.empty).toMatch(/loss/);
  });

  it("drops what has no logarithm on a logarithmic axis", () => {
    const log = curves({ curves: [curve(0, [-1, 10, 100])], total: 1, key: "", scale: "logarithmic" }, frame);
    expect(seriesOf(log.option)[0]?.data).toEqual([
      {
        coords: [
          [1, 10],
          [2, 100],
        ],
      },
    ]);
  });
});
