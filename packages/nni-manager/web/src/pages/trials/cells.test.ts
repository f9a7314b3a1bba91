import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { boolValue, doubleValue, intValue, listValue, objectValue, stringValue } from "../../api/values";
import { Trial_Status, TrialSchema } from "../../generated/nni_proto/v1/trial_pb";
import { Column_Source } from "../../generated/nni_proto/v1/trial_table_pb";
import { cellOf, durationOf } from "./cells";

const trial = create(TrialSchema, {
  name: "experiments/e1/trials/abc12",
  sequenceNumber: 7,
  status: Trial_Status.EARLY_STOPPED,
  parameters: objectValue([
    ["lr", doubleValue(0.1)],
    ["status", stringValue("<b>on</b>")],
    ["flag", boolValue(true)],
    ["layer0", objectValue([["units", intValue(16n)]])],
    ["sizes", listValue([intValue(1n), intValue(2n)])],
  ]),
  finalResult: doubleValue(0.5),
  latestIntermediate: objectValue([["loss", doubleValue(Number.NaN)]]),
  startTime: { seconds: 100n, nanos: 0 },
  endTime: { seconds: 101n, nanos: 500_000_000 },
});

const of = (name: string, source: Column_Source) => cellOf(trial, { name, source });

test("columns of the trial", () => {
  expect(of("number", Column_Source.TRIAL)).toBe(7);
  expect(of("id", Column_Source.TRIAL)).toBe("abc12");
  expect(of("status", Column_Source.TRIAL)).toBe("EARLY_STOPPED");
  expect(of("duration", Column_Source.TRIAL)).toBe(1.5);
  expect(of("host", Column_Source.TRIAL)).toBeUndefined();
  expect(of("objective", Column_Source.TRIAL)).toBeUndefined();
});

test("columns of parameters, nested and named like columns of the trial", () => {
  expect(of("lr", Column_Source.PARAMETER)).toBe(0.1);
  expect(of("layer0.units", Column_Source.PARAMETER)).toBe(16);
  expect(of("parameter.status", Column_Source.PARAMETER)).toBe("<b>on</b>");
  expect(of("flag", Column_Source.PARAMETER)).toBe("true");
  expect(of("sizes", Column_Source.PARAMETER)).toBe("[1, 2]");
  expect(of("gone", Column_Source.PARAMETER)).toBeUndefined();
});

test("columns of results: a plain number is the default entry", () => {
  expect(of("metric.default", Column_Source.METRIC)).toBe(0.5);
  expect(of("metric.loss", Column_Source.METRIC)).toBeUndefined();
  expect(of("intermediate.loss", Column_Source.INTERMEDIATE)).toBeNaN();
});

test("a trial that runs has run until now", () => {
  const running = create(TrialSchema, { startTime: { seconds: 100n, nanos: 0 } });
  expect(durationOf(running, 130)).toBe(30);
  expect(durationOf(create(TrialSchema), 130)).toBeUndefined();
});
