// A trial in another language: it gets its parameters and reports by TrialRuntimeService.
"use strict";

const { stub, toValue, fromValue } = require("./stubs");

const environment = process.env;
const trial = `experiments/${environment.NNI_EXP_ID}/trials/${environment.NNI_TRIAL_JOB_ID}`;

function report(kind, number, value) {
  return { kind, reporter: `node-${process.pid}`, number, value: toValue(value) };
}

async function main() {
  const runtime = stub("TrialRuntimeService", environment.NNI_MANAGER_ADDRESS, environment.NNI_TRIAL_TOKEN);
  const answer = await runtime.GetParameters({ trial });
  const { x } = fromValue(answer.parameters);
  const attempt = Number(environment.NNI_TRIAL_ATTEMPT);
  const reports = [report("METRIC_KIND_INTERMEDIATE", 0, x / 2), report("METRIC_KIND_INTERMEDIATE", 1, { default: x })];
  const first = await runtime.ReportMetrics({ trial, attempt, reports });
  const again = await runtime.ReportMetrics({ trial, attempt, reports });
  console.log(`stored ${first.storedCount || 0}, then ${again.storedCount || 0}`);
  if (answer.sequenceNumber === 1) {
    await runtime.ReportMetrics({ trial, attempt, reports: [report("METRIC_KIND_INTERMEDIATE", 2, "waiting")] });
    setInterval(() => {}, 1000); // waits to be canceled
    return;
  }
  await runtime.ReportMetrics({ trial, attempt, reports: [report("METRIC_KIND_FINAL", 2, x)] });
  runtime.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
