import { slices } from "../../charts/slices";
import { MetricChoice, metricOf, ScaleControl, scaleChoice } from "./MetricControls";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 2_000;
const MOST_PLOTS = 40;

/** Each parameter against a metric. */
export function SlicesView(props: ViewProps) {
  const { settings, change, columns } = props;
  const [metric, scale] = [metricOf(settings), scaleChoice(settings)];
  const parameters = columns.parameters.slice(0, MOST_PLOTS);
  return (
    <>
      <div class="chart-settings">
        <MetricChoice metrics={columns.metrics} value={metric} change={change} />
        <ScaleControl label="Scale of the metric" value={scale} change={change} />
      </div>
      <TableChart
        {...props}
        title={`${metric} by parameter`}
        names={[metric, ...parameters]}
        maxTrials={MOST}
        deps={scale}
        picture={(table, frame) => slices({ table, parameters, metric, scale }, frame)}
      />
    </>
  );
}
