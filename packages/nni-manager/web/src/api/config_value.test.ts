import { fromJson } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ExperimentConfigSchema } from "../generated/nni_proto/v1/experiment_config_pb";
import { configValue } from "./config_value";
import { yamlText } from "./yaml_text";

it("is what a configuration file says", () => {
  const config = fromJson(ExperimentConfigSchema, {
    experimentName: "digits",
    trialConcurrency: 2,
    maxExperimentDuration: { text: "1.5h" },
    maxTrialDuration: { wholeSeconds: "60" },
    searchSpace: {
      objectValue: { fields: [{ key: "x", value: { listValue: { values: [{ intValue: "1" }] } } }] },
    },
    tuner: { name: "TPE", classArgs: { fields: [{ key: "seed", value: { intValue: "3" } }] } },
    trainingServices: [{ local: { useActiveGpu: false, gpuIndices: [0, 1] } }],
  });
  expect(yamlText(configValue(config))).toBe(`experimentName: digits
searchSpace:
  x: [1]
trialConcurrency: 2
maxExperimentDuration: "1.5h"
maxTrialDuration: 60
tuner:
  name: TPE
  classArgs:
    seed: 3
trainingService:
  platform: local
  useActiveGpu: false
  gpuIndices: [0, 1]
`);
});

it("lists several training services, third-party ones with their settings", () => {
  const config = fromJson(ExperimentConfigSchema, {
    trainingServices: [
      { remote: { machineList: [{ host: "a", port: 22 }] } },
      { custom: { platform: "mine", settings: { fields: [{ key: "where", value: { stringValue: "x" } }] } } },
    ],
  });
  expect(yamlText(configValue(config))).toBe(`trainingService:
  - platform: remote
    machineList:
      - host: a
        port: 22
  - platform: mine
    where: x
`);
});
