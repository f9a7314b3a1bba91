// @vitest-environment happy-dom

import { create, fromJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ExperimentSchema } from "../generated/nni_proto/v1/experiment_pb";
import {
  GetExperimentResponseSchema,
  type WatchExperimentResponse,
  WatchExperimentResponseSchema,
} from "../generated/nni_proto/v1/experiment_service_pb";
import { client } from "./client";
import { connection, connections, experiment, missing, onRevision, revision, watch } from "./live";

vi.mock("./client", async (original) => ({
  ...(await original<typeof import("./client")>()),
  client: { getExperiment: vi.fn(), watchExperiment: vi.fn() },
}));

const get = vi.mocked(client.getExperiment);
const stream = vi.mocked(client.watchExperiment);
let end = () => {};

function known(status: string, at: string) {
  const shown = fromJson(ExperimentSchema, { name: "experiments/e", status, revision: at });
  return create(GetExperimentResponseSchema, { experiment: shown });
}

/** A stream that stays open until it is told how to end. */
function openStream() {
  const steps: WatchExperimentResponse[] = [];
  let wake = () => {};
  let failure: unknown;
  let over = false;
  async function* run() {
    for (;;) {
      while (steps.length > 0) yield steps.shift() as WatchExperimentResponse;
      if (failure !== undefined) throw failure;
      if (over) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    run,
    send(at: bigint) {
      steps.push(create(WatchExperimentResponseSchema, { revision: at }));
      wake();
    },
    fail(error: unknown) {
      failure = error;
      wake();
    },
    finish() {
      over = true;
      wake();
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  end();
  vi.useRealTimers();
  vi.resetAllMocks();
});

it("watches from the revision that it read, and goes on after the manager was away", async () => {
  const [first, second] = [openStream(), openStream()];
  get.mockResolvedValueOnce(known("STATUS_RUNNING", "5"));
  stream.mockImplementationOnce(first.run);
  end = watch("experiments/e");
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.value).toEqual({ state: "live" });
  expect(stream.mock.calls[0]?.[0]).toEqual({ name: "experiments/e", afterRevision: 5n });
  first.send(6n);
  await vi.advanceTimersByTimeAsync(0);
  expect(revision.value).toBe(6n);

  get.mockRejectedValueOnce(new ConnectError("gone", Code.Unavailable));
  get.mockResolvedValueOnce(known("STATUS_RUNNING", "6"));
  stream.mockImplementationOnce(second.run);
  first.fail(new ConnectError("gone", Code.Unavailable));
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.value).toMatchObject({ state: "reconnecting", problem: "gone" });
  const since = (connection.value as { since: Date }).since;
  expect(experiment.value?.name).toBe("experiments/e");
  await vi.advanceTimersByTimeAsync(500);
  expect(connection.value).toMatchObject({ state: "reconnecting", since });
  const before = connections.value;
  await vi.advanceTimersByTimeAsync(1000);
  expect(connection.value).toEqual({ state: "live" });
  expect(connections.value).toBe(before + 1);
});

it("asks everything again after each time out of touch, even when nothing changed", async () => {
  const called = vi.fn();
  const stop = onRevision(called);
  const first = openStream();
  get.mockResolvedValue(known("STATUS_RUNNING", "5"));
  stream.mockImplementationOnce(first.run);
  stream.mockImplementation(openStream().run);
  end = watch("experiments/e");
  await vi.advanceTimersByTimeAsync(0);
  called.mockClear();
  first.fail(new ConnectError("gone", Code.Unavailable));
  await vi.advanceTimersByTimeAsync(600);
  expect(called).toHaveBeenCalledWith(5n);
  stop();
});

it("says that the sign-in is not good any more, and goes on once it is", async () => {
  get.mockRejectedValueOnce(new ConnectError("who?", Code.Unauthenticated));
  get.mockResolvedValueOnce(known("STATUS_RUNNING", "1"));
  stream.mockImplementation(openStream().run);
  end = watch("experiments/e");
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.value.state).toBe("signed out");
  window.dispatchEvent(new Event("focus"));
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.value.state).toBe("live");
});

it("takes the end of a stopped experiment's manager for the end", async () => {
  const only = openStream();
  get.mockResolvedValueOnce(known("STATUS_STOPPED", "1"));
  get.mockRejectedValue(new ConnectError("gone", Code.Unavailable));
  stream.mockImplementation(only.run);
  end = watch("experiments/e");
  await vi.advanceTimersByTimeAsync(0);
  only.finish();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(connection.value).toEqual({ state: "ended" });
});

it("says when there is no such experiment", async () => {
  get.mockRejectedValue(new ConnectError("there is no experiment x", Code.NotFound));
  end = watch("experiments/x");
  await vi.advanceTimersByTimeAsync(0);
  expect(missing.value).toBe("there is no experiment x");
});

it("calls nobody any more after its end", async () => {
  get.mockRejectedValue(new ConnectError("gone", Code.Unavailable));
  end = watch("experiments/e");
  await vi.advanceTimersByTimeAsync(0);
  end();
  const calls = get.mock.calls.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(get.mock.calls.length).toBe(calls);
});
