import { contour } from "../../charts/contour";
import { Choice } from "./Choice";
import { DirectionChoice, directionOf, MetricChoice, metricOf } from "./MetricControls";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 2_000;

/** A metric over two parameters. */
export function ContourView(props: ViewProps) {
  const { settings, change, columns } = props;
  const [metric, direction] = [metricOf(settings), directionOf(settings)];
  const x = settings["x"] ?? columns.parameters[0] ?? "";
  const y = settings["y"] ?? columns.parameters.find((name) => name !== x) ?? "";
  return (
    <>
      <div class="chart-settings">
        <Choice
          label="Across"
          value={x}
          options={columns.parameters}
          onChange={(name) => change({ x: name })}
        />
        <Choice label="Up" value={y} options={columns.parameters} onChange={(name) => change({ y: name })} />
        <MetricChoice metrics={columns.metrics} value={metric} change={change} />
        <DirectionChoice value={direction} change={change} />
      </div>
      <TableChart
        {...props}
        title={`${metric} over ${x || "?"} and ${y || "?"}`}
        names={[x, y, metric].filter(Boolean)}
        maxTrials={MOST}
        deps={direction}
        picture={(table, frame) => contour({ table, x, y, metric, direction }, frame)}
        onArea={props.onSelection}
      />
    </>
  );
}
