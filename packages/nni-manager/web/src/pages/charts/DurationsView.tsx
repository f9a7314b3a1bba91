import { durations } from "../../charts/durations";
import { ScaleControl, scaleChoice } from "./MetricControls";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 10_000;

/** How long each trial ran. */
export function DurationsView(props: ViewProps) {
  const scale = scaleChoice(props.settings);
  return (
    <>
      <div class="chart-settings">
        <ScaleControl value={scale} change={props.change} />
      </div>
      <TableChart
        {...props}
        title="Duration by trial"
        names={["duration"]}
        maxTrials={MOST}
        deps={scale}
        picture={(table, frame) => durations({ table, scale }, frame)}
        onArea={props.onSelection}
      />
    </>
  );
}
