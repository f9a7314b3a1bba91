import { useCallback } from "preact/hooks";
import { experiment } from "../api/live";
import { go, href, shownExperiment } from "../app/router";
import type { ScaleChoice } from "./axes";
import { Chart } from "./Chart";
import { type Direction, objectiveHistory } from "./objective_history";
import { Pending } from "./Pending";
import type { Frame } from "./picture";
import { trialQuery } from "./selection";
import type { ColumnInfo } from "./table";
import { useTable } from "./use_columns";

/** What the chart of the objective is made of. */
export interface ObjectiveHistoryProps {
  /** Smaller and without tools, for a place on another page. */
  compact?: boolean;
  /** The column shown. */
  metric?: string;
  direction?: Direction;
  filter?: string;
  scale?: ScaleChoice;
  infos?: readonly ColumnInfo[];
  /** Gets the filter of an area that was selected. */
  onArea?: (filter: string) => void;
}

const NONE: readonly ColumnInfo[] = [];
const MOST = 10_000;
const MOST_COMPACT = 3_000;

/** Returns the direction of the experiment's objective. */
export function optimizeDirection(): Direction {
  return experiment.value?.optimizeMode === "minimize" ? "minimize" : "maximize";
}

/** The objective by trial number with the best so far. */
export function ObjectiveHistory(props: ObjectiveHistoryProps) {
  const { compact = false, metric = "objective", filter = "", scale, infos = NONE } = props;
  const direction = props.direction ?? optimizeDirection();
  const answer = useTable([metric], filter, infos, compact ? MOST_COMPACT : MOST);
  const table = answer.data;
  const build = useCallback(
    (frame: Frame) =>
      objectiveHistory(
        { table: table as NonNullable<typeof table>, metric, direction, ...(scale ? { scale } : {}) },
        frame,
      ),
    [table, metric, direction, scale],
  );
  if (!table) return <Pending answer={answer} />;
  return (
    <Chart
      title={`${metric} by trial`}
      build={build}
      question={JSON.stringify([shownExperiment.value, metric, filter, scale])}
      compact={compact}
      onTrial={(trial) => go(href("trials", "", trialQuery(trial)))}
      {...(props.onArea ? { onArea: props.onArea } : {})}
    />
  );
}
