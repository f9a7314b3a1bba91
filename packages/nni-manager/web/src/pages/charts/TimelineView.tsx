import { timeline } from "../../charts/timeline";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 5_000;
const NAMES = ["created", "started", "ended", "host", "objective"];

/** When each trial ran and where. */
export function TimelineView(props: ViewProps) {
  return (
    <TableChart
      {...props}
      title="Timeline of slots"
      names={NAMES}
      maxTrials={MOST}
      deps=""
      picture={(table, frame) => timeline({ table, now: Date.now() / 1000 }, frame)}
    />
  );
}
