import { useCallback, useEffect } from "preact/hooks";
import { client } from "../../api/client";
import { experiment } from "../../api/live";
import { askAhead, useLiveQuery } from "../../api/query";
import { countOf } from "../../app/progress";
import { shownExperiment } from "../../app/router";
import { Chart } from "../../charts/Chart";
import { importance } from "../../charts/importance";
import { Pending } from "../../charts/Pending";
import type { Frame } from "../../charts/picture";
import { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { MetricChoice, metricOf } from "./MetricControls";
import type { ViewProps } from "./view";

const importanceQuestion = (parent: string, metric: string, filter: string): string =>
  `importance ${JSON.stringify([parent, metric, filter])}`;

/** From so many succeeded trials on it is measured ahead; of a few it may be impossible, and of some it is quick. */
const LEAST_AHEAD = 100;
const SUCCEEDED = new Set([Trial_Status.SUCCEEDED]);

/** Has it measured what matters for the objective: that takes seconds, and somebody who looks at charts may ask. */
export function measureAhead(parent: string): void {
  if (experiment.value === undefined || countOf(experiment.value, SUCCEEDED) < LEAST_AHEAD) return;
  const [metric, filter] = ["objective", ""];
  void askAhead(importanceQuestion(parent, metric, filter), () =>
    client.getParameterImportance({ parent, metric, filter }),
  );
}

/** How much each parameter matters for a metric. */
export function ImportanceView({ settings, change, columns, filter, onTrial, onProblem }: ViewProps) {
  const parent = shownExperiment.value;
  const metric = metricOf(settings);
  const question = importanceQuestion(parent, metric, filter);
  const answer = useLiveQuery(
    question,
    (signal) => client.getParameterImportance({ parent, metric, filter }, { signal }),
    true,
  );
  const { data, problem } = answer;
  // A filter that is wrong is shown where it is written; that trials are too few is said here.
  useEffect(() => onProblem(undefined), []);
  const build = useCallback(
    (frame: Frame) => importance({ answer: data as NonNullable<typeof data>, metric }, frame),
    [data, metric],
  );
  return (
    <>
      <div class="chart-settings">
        <MetricChoice metrics={columns.metrics} value={metric} change={change} />
      </div>
      {data && problem === undefined ? (
        <Chart title={`What matters for ${metric}`} build={build} question={question} onTrial={onTrial} />
      ) : (
        <Pending answer={answer} />
      )}
    </>
  );
}
