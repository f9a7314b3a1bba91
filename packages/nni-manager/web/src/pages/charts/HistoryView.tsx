import { objectiveHistory } from "../../charts/objective_history";
import {
  DirectionChoice,
  directionOf,
  MetricChoice,
  metricOf,
  ScaleControl,
  scaleChoice,
} from "./MetricControls";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 10_000;

/** A metric by trial number, with the best so far. */
export function HistoryView(props: ViewProps) {
  const { settings, change, columns } = props;
  const [metric, direction, scale] = [metricOf(settings), directionOf(settings), scaleChoice(settings)];
  return (
    <>
      <div class="chart-settings">
        <MetricChoice metrics={columns.metrics} value={metric} change={change} />
        <DirectionChoice value={direction} change={change} />
        <ScaleControl value={scale} change={change} />
      </div>
      <TableChart
        {...props}
        title={`${metric} by trial`}
        names={[metric]}
        maxTrials={MOST}
        deps={[direction, scale]}
        picture={(table, frame) => objectiveHistory({ table, metric, direction, scale }, frame)}
        onArea={props.onSelection}
      />
    </>
  );
}
