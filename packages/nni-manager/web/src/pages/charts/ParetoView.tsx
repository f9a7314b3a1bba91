import { pareto } from "../../charts/pareto";
import { DirectionChoice, directionOf, MetricChoice, ScaleControl, scaleChoice } from "./MetricControls";
import { oneOf } from "./settings_text";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 10_000;

/** Two metrics against each other with their front. */
export function ParetoView(props: ViewProps) {
  const { settings, change, columns } = props;
  const metrics = [...columns.metrics, "duration"];
  const x = settings["x"] ?? "objective";
  const y = settings["y"] ?? usualSecond(columns.metrics);
  const xDirection = directionOf(settings, "xDirection");
  const yDirection =
    y === "duration"
      ? oneOf(settings["yDirection"], ["minimize", "maximize"])
      : directionOf(settings, "yDirection");
  const [xScale, yScale] = [scaleChoice(settings, "xScale"), scaleChoice(settings, "yScale")];
  return (
    <>
      <div class="chart-settings">
        <MetricChoice label="Across" metrics={metrics} value={x} name="x" change={change} />
        <DirectionChoice label="Better across" value={xDirection} name="xDirection" change={change} />
        <ScaleControl label="Scale across" value={xScale} name="xScale" change={change} />
        <MetricChoice label="Up" metrics={metrics} value={y} name="y" change={change} />
        <DirectionChoice label="Better up" value={yDirection} name="yDirection" change={change} />
        <ScaleControl label="Scale up" value={yScale} name="yScale" change={change} />
      </div>
      <TableChart
        {...props}
        title={`${y} against ${x}`}
        names={[x, y]}
        maxTrials={MOST}
        deps={[xDirection, yDirection, xScale, yScale]}
        picture={(table, frame) => pareto({ table, x, y, xDirection, yDirection, xScale, yScale }, frame)}
        onArea={props.onSelection}
      />
    </>
  );
}

/** Returns what the objective is compared with when nobody chose: another metric, else the duration. */
function usualSecond(metrics: readonly string[]): string {
  return metrics.find((name) => name !== "objective" && name !== "metric.default") ?? "duration";
}
