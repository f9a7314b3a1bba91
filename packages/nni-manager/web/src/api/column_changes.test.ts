import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { TrialSchema } from "../generated/nni_proto/v1/trial_pb";
import { columnsVersion, forgetColumns, noteColumns } from "./column_changes";

const fields = (values: JsonObject): JsonObject => ({
  objectValue: {
    fields: Object.entries(values).map(([key, doubleValue]) => ({ key, value: { doubleValue } })),
  },
});

/** Returns how often columns are asked for because of a trial. */
function changes(trial: JsonObject): number {
  const before = columnsVersion.value;
  noteColumns([fromJson(TrialSchema, trial)]);
  return columnsVersion.value - before;
}

it("asks for columns when something is new, and not when values change", () => {
  forgetColumns();
  expect(changes({ parameters: fields({ lr: 0.1 }) })).toBe(1);
  expect(changes({ parameters: fields({ lr: 0.2 }) })).toBe(0);
  expect(changes({ parameters: fields({ lr: 0.2 }), finalResult: fields({ lr: 1, loss: 2 }) })).toBe(1);
  expect(changes({ latestIntermediate: { doubleValue: 1 } })).toBe(1);
  expect(changes({ latestIntermediate: { doubleValue: 2 } })).toBe(0);
  expect(changes({ host: "gpu-1", gpus: ["0"] })).toBe(1);
  expect(changes({ host: "gpu-2", gpus: ["1"] })).toBe(0);
  forgetColumns();
  expect(changes({ parameters: fields({ lr: 0.1 }) })).toBe(1);
});
