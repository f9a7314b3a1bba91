// @vitest-environment happy-dom

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { client } from "../../api/client";
import { WatchExperimentsResponseSchema } from "../../generated/nni_proto/v1/experiment_summary_pb";
import { experiments, forget, watchExperiments } from "./experiments_watch";

vi.mock("../../api/client", async (original) => ({
  ...(await original<typeof import("../../api/client")>()),
  client: { watchExperiments: vi.fn() },
}));

const stream = vi.mocked(client.watchExperiments);
type Step = MessageInitShape<typeof WatchExperimentsResponseSchema>;
let end = () => {};

/** A stream of these steps that breaks after them, or stays open. */
function answers(steps: Step[], broken: boolean) {
  return async function* () {
    for (const step of steps) yield create(WatchExperimentsResponseSchema, step);
    if (broken) throw new ConnectError("gone", Code.Unavailable);
    await new Promise(() => {});
  };
}

const summary = (id: string, created: number) => ({
  name: `experiments/${id}`,
  createTime: timestampFromMs(created * 1000),
});
const ids = () => experiments.value.all?.map((one) => one.id);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  end();
  vi.useRealTimers();
});

it("keeps what it knows while it is out of touch, and goes on from there", async () => {
  const first: Step[] = [
    { experiments: [summary("c", 3)], whole: true },
    { experiments: [summary("a", 1)], whole: true, revision: "x-1" },
    { experiments: [summary("b", 2)], removed: ["experiments/a"], revision: "x-2" },
    { experiments: [summary("lost", 9)] },
  ];
  stream.mockImplementationOnce(answers(first, true));
  stream.mockImplementationOnce(answers([], true));
  stream.mockImplementationOnce(answers([{ revision: "x-2" }], false));
  end = watchExperiments();
  await vi.advanceTimersByTimeAsync(0);
  expect(ids()).toEqual(["c", "b"]);
  expect(experiments.value.stale?.problem).toBe("gone");
  const { since } = experiments.value.stale ?? {};
  await vi.advanceTimersByTimeAsync(600);
  expect(experiments.value.stale?.since).toBe(since);
  await vi.advanceTimersByTimeAsync(1100);
  expect(stream.mock.calls.map(([request]) => request.afterRevision)).toEqual(["", "x-2", "x-2"]);
  expect(ids()).toEqual(["c", "b"]);
  expect(experiments.value.stale).toBeUndefined();
  forget("experiments/c");
  expect(ids()).toEqual(["b"]);
});

it("knows of no others after all were told", async () => {
  stream.mockImplementationOnce(
    answers([{ experiments: [summary("z", 1)], whole: true, revision: "y-1" }], false),
  );
  end = watchExperiments();
  await vi.advanceTimersByTimeAsync(0);
  expect(ids()).toEqual(["z"]);
});
