// A client in another language: creates an experiment of trial.js, watches it, cancels a trial in it, and
// exports it. Prints one JSON object of what it saw.
"use strict";

const { randomUUID } = require("node:crypto");
const { stub, toValue, fromValue } = require("./stubs");

const [address, folder] = process.argv.slice(2);
const token = process.env.NNI_TEST_TOKEN;
const ENDED = new Set(["STATUS_DONE", "STATUS_ERROR", "STATUS_STOPPED"]);

function config() {
  return {
    trialCommand: `'${process.execPath}' trial.js`,
    trialCodeDirectory: __dirname,
    experimentWorkingDirectory: folder,
    trialConcurrency: 2,
    maxTrialNumber: 4,
    trialStopGracePeriod: { seconds: 1.5 },
    searchSpace: toValue({ x: { _type: "uniform", _value: [0.1, 0.9] } }),
    tuner: { name: "Random" },
    trainingServices: [{ local: {} }],
  };
}

async function watched(experiments, name) {
  const trials = {};
  let canceled = false;
  let last;
  const watch = experiments.WatchExperiment({ name, includeMetrics: true });
  let metricCount = 0;
  for await (const change of watch) {
    metricCount += change.metrics.length;
    for (const trial of change.trials) {
      trials[trial.name] = trial.status;
      if (trial.sequenceNumber === 1 && trial.intermediateCount === 3 && !canceled) {
        canceled = true;
        await experiments.CancelTrial({ name: trial.name });
      }
    }
    last = change.experiment || last;
    if (last && ENDED.has(last.status)) break;
  }
  watch.cancel();
  return { status: last.status, endReason: last.endReason, trials: Object.values(trials).sort(), metricCount };
}

async function exported(experiments, name) {
  const found = [];
  let pageToken = "";
  do {
    const page = await experiments.ExportTrials({ parent: name, pageSize: 2, pageToken });
    found.push(...page.trials.map((it) => ({ parameters: fromValue(it.parameters), value: fromValue(it.value) })));
    pageToken = page.nextPageToken;
  } while (pageToken);
  return found;
}

async function refusal(call) {
  try {
    await call;
    return null;
  } catch (error) {
    return { code: error.code, hasDetails: error.metadata.get("grpc-status-details-bin").length === 1 };
  }
}

async function main() {
  const stranger = stub("ExperimentService", address, "");
  const refused = await refusal(stranger.GetExperiment({ name: "experiments/any" }));
  stranger.close();
  const experiments = stub("ExperimentService", address, token);
  const created = await experiments.CreateExperiment({ requestId: randomUUID(), config: config() });
  const name = created.experiment.name;
  await experiments.StartExperiment({ name });
  const seen = await watched(experiments, name);
  const trials = await exported(experiments, name);
  const stopped = await experiments.StopExperiment({ name });
  experiments.close();
  console.log(JSON.stringify({ refused, seen, trials, stopped: stopped.experiment.status }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
