// @vitest-environment happy-dom

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { Experiment_Status } from "../../generated/nni_proto/v1/experiment_pb";
import { ExperimentSummarySchema } from "../../generated/nni_proto/v1/experiment_summary_pb";
import { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { bestOf, countOf, listedOf, platformsOf, secondsFromStart, shownOf, statesOf } from "./listed";
import { queryOf, viewOf } from "./view";

const DAY = 86_400;
const NOW = 100 * DAY;

function listed(id: string, more: MessageInitShape<typeof ExperimentSummarySchema> = {}) {
  return listedOf(
    create(ExperimentSummarySchema, {
      name: `experiments/${id}`,
      status: Experiment_Status.STOPPED,
      createTime: timestampFromMs((NOW - 2 * DAY) * 1000),
      ...more,
    }),
  );
}

const ALL = [
  listed("a", { title: "Digits", algorithm: "TPE", platforms: ["local"], bestObjective: 0.9 }),
  listed("b", { title: "images", algorithm: "Random", platforms: ["local", "remote"], running: true }),
  listed("c", { title: "Old digits", bestObjective: 0.1, createTime: timestampFromMs(0) }),
  listed("d", { status: Experiment_Status.UNSPECIFIED, problem: "it is damaged" }),
];

function ids(query: string): string[] {
  return shownOf(ALL, viewOf(new URLSearchParams(query)), NOW).map((one) => one.id);
}

it.each([
  ["", "abcd"],
  ["text=digits", "ac"],
  ["text=OLD+digits", "c"],
  ["text=tpe", "a"],
  ["text=damaged", "d"],
  ["state=running", "b"],
  ["state=not running", "acd"],
  ["state=Broken", "d"],
  ["platform=remote", "b"],
  ["days=7", "abd"],
  ["days=nonsense", "abcd"],
  ["sort=name", "dabc"],
  ["sort=best", "cabd"],
  ["sort=-best", "acbd"],
  ["sort=created,-best", "cabd"],
  ["sort=nothing", "abcd"],
])("%j shows %s", (query, expected) => {
  expect(ids(query).join("")).toBe(expected);
});

it("offers what there is", () => {
  expect(statesOf(ALL)).toEqual(["running", "not running", "Broken", "Stopped"]);
  expect(platformsOf(ALL)).toEqual(["local", "remote"]);
});

it("returns the address that it reads", () => {
  const view = viewOf(new URLSearchParams("text=a+b&state=Stopped&platform=local&days=7&sort=-best,name"));
  expect(viewOf(queryOf(view))).toEqual(view);
  expect(queryOf(viewOf(new URLSearchParams())).toString()).toBe("");
});

it("counts trials, and the time up to now while it runs", () => {
  const one = listed("e", {
    running: true,
    startTime: timestampFromMs((NOW - 60) * 1000),
    trialCounts: [
      { status: Trial_Status.SUCCEEDED, count: 3 },
      { status: Trial_Status.FAILED, count: 2 },
    ],
  });
  expect(one.title).toBe("e");
  expect(one.trials).toBe(5);
  expect(countOf(one, Trial_Status.FAILED, Trial_Status.EARLY_STOPPED)).toBe(2);
  expect(secondsFromStart(one, NOW)).toBe(60);
  expect(secondsFromStart({ ...one, running: false }, NOW)).toBeUndefined();
});

it("knows which one is best, where that can be said", () => {
  const results = (values: (number | undefined)[], optimizeMode = "maximize") =>
    values.map((bestObjective, place) => listed(`r${place}`, { bestObjective, optimizeMode }));
  const names = (all: ReturnType<typeof results>) => [...bestOf(all)].map((one) => one.id);
  expect(names(results([1, 3, undefined, 3]))).toEqual(["r1", "r3"]);
  expect(names(results([1, 3, 2], "minimize"))).toEqual(["r0"]);
  expect(names(results([2, 2]))).toEqual([]);
  expect(names([...results([1]), ...results([2], "minimize")])).toEqual([]);
  expect(names([])).toEqual([]);
});
