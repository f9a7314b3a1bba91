// @vitest-environment happy-dom

import { create, fromJson } from "@bufbuild/protobuf";
import { beforeEach, expect, it, vi } from "vitest";
import { client } from "../../api/client";
import { experiment } from "../../api/live";
import { ExperimentSchema } from "../../generated/nni_proto/v1/experiment_pb";
import { GetParameterImportanceResponseSchema } from "../../generated/nni_proto/v1/trial_table_pb";
import { measureAhead } from "./ImportanceView";

vi.mock("../../api/client", async (original) => ({
  ...(await original<typeof import("../../api/client")>()),
  client: { getParameterImportance: vi.fn() },
}));

const measure = vi.mocked(client.getParameterImportance);

function known(counts: Record<string, number>) {
  const trialCounts = Object.entries(counts).map(([word, count]) => ({ status: `STATUS_${word}`, count }));
  experiment.value = fromJson(ExperimentSchema, { name: "experiments/e", trialCounts });
}

beforeEach(() => {
  measure.mockReset();
  measure.mockResolvedValue(create(GetParameterImportanceResponseSchema));
});

it("is not asked for before the experiment is known", () => {
  experiment.value = undefined;
  measureAhead("experiments/e");
  expect(measure).not.toHaveBeenCalled();
});

it("is not asked for while few trials have succeeded, of which it may be impossible", () => {
  const few: Record<string, number>[] = [{}, { RUNNING: 500, FAILED: 500 }, { SUCCEEDED: 99, FAILED: 500 }];
  for (const counts of few) {
    known(counts);
    measureAhead("experiments/e");
  }
  expect(measure).not.toHaveBeenCalled();
});

it("is asked for once of many", async () => {
  known({ SUCCEEDED: 100 });
  measureAhead("experiments/e");
  await vi.waitFor(() => expect(measure).toHaveBeenCalledTimes(1));
  await Promise.resolve();
  measureAhead("experiments/e");
  expect(measure).toHaveBeenCalledTimes(1);
});
