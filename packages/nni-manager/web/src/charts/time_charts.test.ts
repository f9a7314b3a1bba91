import { describe, expect, it } from "vitest";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { durations } from "./durations";
import { column, frame, made, seriesOf } from "./made_tables";
import { bars, timeline } from "./timeline";

const { SUCCEEDED, RUNNING, WAITING } = Trial_Status;
const table = made(
  [
    column("created", [0, 0, 4, 9, 9]),
    column("started", [1, 2, 11, 12, Number.NaN]),
    column("ended", [11, 20, 15, Number.NaN, Number.NaN]),
    column("host", ["a", "a", "a", "b", Number.NaN]),
    column("duration", [10, 18, 4, 8, Number.NaN]),
  ],
  [SUCCEEDED, SUCCEEDED, SUCCEEDED, RUNNING, WAITING],
);

describe("bars", () => {
  it("puts a trial into the first slot of its host that is free", () => {
    expect(bars(table, 20).map((bar) => [bar.row, bar.host, bar.slot, bar.end])).toEqual([
      [0, "a", 0, 11],
      [1, "a", 1, 20],
      [2, "a", 0, 15],
      [3, "b", 0, 20],
    ]);
  });

  it("never ends before it starts, however the clocks differ", () => {
    const odd = made([column("created", [9]), column("started", [5]), column("ended", [3])]);
    expect(bars(odd, 1)).toEqual([{ row: 0, host: "", slot: 0, created: 5, start: 5, end: 5 }]);
  });
});

describe("timeline", () => {
  it("has a lane for each slot and says how busy they were", () => {
    const picture = timeline({ table, now: 20 }, frame);
    expect((picture.option.yAxis as { data: string[] }).data).toEqual(["a · 1", "a · 2", "b · 1"]);
    expect(picture.marks().map((lane) => lane.length)).toEqual([2, 1, 1]);
    expect(picture.notes.join(" ")).toMatch(/busy 70 %/);
    expect(picture.notes.join(" ")).toMatch(/have no bar: 1/);
    expect(picture.table().rows[2]?.slice(0, 3)).toEqual(["2", "Succeeded", "a · 1"]);
  });

  it("names slots without a host by their number, and says why it is empty", () => {
    const local = made([column("created", [0]), column("started", [0]), column("ended", [1])]);
    expect((timeline({ table: local, now: 2 }, frame).option.yAxis as { data: string[] }).data).toEqual([
      "slot 1",
    ]);
    expect(timeline({ table: made([]), now: 0 }, frame).empty).toMatch(/No trial has started/);
  });
});

describe("durations", () => {
  it("shows every trial that ran with the median", () => {
    const picture = durations({ table }, frame);
    expect(seriesOf(picture.option).at(-1)?.data).toEqual([
      [0, 9],
      [3, 9],
    ]);
    expect(picture.notes).toEqual([
      "Half of the trials ran longer than 9.0 s.",
      "1 trial has no value of duration.",
    ]);
    expect(picture.describe({ seriesIndex: 0, dataIndex: 1 })?.lines).toContainEqual(["duration", "18 s"]);
  });

  it("says why it is empty", () => {
    expect(durations({ table: made([]) }, frame).empty).toMatch(/No trial has run/);
  });
});
