import { useCallback, useEffect } from "preact/hooks";
import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { shownExperiment } from "../../app/router";
import { Chart } from "../../charts/Chart";
import { importance } from "../../charts/importance";
import { Pending } from "../../charts/Pending";
import type { Frame } from "../../charts/picture";
import { MetricChoice, metricOf } from "./MetricControls";
import type { ViewProps } from "./view";

/** How much each parameter matters for a metric. */
export function ImportanceView({ settings, change, columns, filter, onTrial, onProblem }: ViewProps) {
  const parent = shownExperiment.value;
  const metric = metricOf(settings);
  const question = JSON.stringify([parent, metric, filter]);
  const answer = useLiveQuery(question, (signal) =>
    client.getParameterImportance({ parent, metric, filter }, { signal }),
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
