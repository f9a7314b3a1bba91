import { create, fromJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { writtenSeconds } from "../api/durations";
import { WrittenDurationSchema } from "../generated/nni_proto/v1/experiment_config_pb";
import { type Experiment, ExperimentSchema } from "../generated/nni_proto/v1/experiment_pb";
import { progressOf, secondsLeft } from "./progress";

function experiment(more: object = {}, config: object = {}): Experiment {
  return fromJson(ExperimentSchema, {
    name: "experiments/e",
    status: "STATUS_RUNNING",
    runningTime: "100s",
    trialCounts: [
      { status: "STATUS_SUCCEEDED", count: 5 },
      { status: "STATUS_FAILED", count: 1 },
      { status: "STATUS_RUNNING", count: 2 },
    ],
    config: { trialConcurrency: 2, maxTrialNumber: 20, ...config },
    ...more,
  });
}

describe("progress", () => {
  it("counts trials that have ended against the limit", () => {
    expect(progressOf(experiment())).toMatchObject({ ended: 6, most: 20, seconds: 100, share: 0.3 });
  });

  it("goes by the limit that is nearer", () => {
    const limited = experiment({}, { maxExperimentDuration: { text: "200s" } });
    expect(progressOf(limited, 50)).toMatchObject({ seconds: 150, mostSeconds: 200, share: 0.75 });
  });

  it("has no share without limits, and none above 1", () => {
    expect(progressOf(fromJson(ExperimentSchema, { name: "e" })).share).toBeUndefined();
    expect(progressOf(experiment({}, { maxTrialNumber: 3 })).share).toBe(1);
  });

  it("lets the time of one that has ended stand still", () => {
    expect(progressOf(experiment({ status: "STATUS_STOPPED" }), 50).seconds).toBe(100);
  });
});

describe("time left", () => {
  it("is what the trials left take, side by side", () => {
    // 14 left, of which two run: 13 trials' time of 10 s in two slots.
    expect(secondsLeft(experiment(), 10)).toBe(65);
  });

  it("ends with the experiment's duration", () => {
    expect(secondsLeft(experiment({}, { maxExperimentDuration: { wholeSeconds: "130" } }), 10)).toBe(30);
  });

  it("is not known before a trial has ended, without limits, or while paused", () => {
    expect(secondsLeft(experiment(), undefined)).toBeUndefined();
    expect(secondsLeft(experiment({ config: { trialConcurrency: 2 } }), 10)).toBeUndefined();
    expect(secondsLeft(experiment({ paused: true }), 10)).toBeUndefined();
  });
});

it.each([
  ["1.5h", { case: "text", value: "1.5h" }, 5400],
  ["10m", { case: "text", value: "10m" }, 600],
  ["7 s", { case: "wholeSeconds", value: 7n }, 7],
  ["0.5 s", { case: "seconds", value: 0.5 }, 0.5],
] as const)("reads the duration %s", (_, written, seconds) => {
  expect(writtenSeconds(create(WrittenDurationSchema, { written }))).toBe(seconds);
});
