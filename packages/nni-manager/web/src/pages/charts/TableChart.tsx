import { useCallback, useEffect } from "preact/hooks";
import { shownExperiment } from "../../app/router";
import { Chart } from "../../charts/Chart";
import type { Intervals } from "../../charts/drawing";
import { Pending } from "../../charts/Pending";
import type { Frame, Picture } from "../../charts/picture";
import type { TrialTable } from "../../charts/table";
import { useTable } from "../../charts/use_columns";
import type { ViewProps } from "./view";

/** What a chart of columns is made of. */
export interface TableChartProps extends Pick<ViewProps, "columns" | "filter" | "onTrial" | "onProblem"> {
  title: string;
  /** The columns that it needs. */
  names: readonly string[];
  maxTrials: number;
  /** Makes the picture; `deps` says what else it depends on. */
  picture: (table: TrialTable, frame: Frame) => Picture;
  /** Whatever the picture depends on besides the table. Another one draws the chart again. */
  deps: unknown;
  onArea?: (filter: string) => void;
  onIntervals?: (intervals: Intervals, table: TrialTable) => void;
  intervals?: Intervals | undefined;
}

/** A chart that shows columns of trials. */
export function TableChart(props: TableChartProps) {
  const { names, filter, columns, maxTrials, onProblem, deps } = props;
  const answer = useTable(names, filter, columns.infos, maxTrials);
  const question = JSON.stringify([shownExperiment.value, names, filter, deps]);
  useEffect(() => onProblem(answer.problem), [answer.problem]);
  const table = answer.data;
  const make = props.picture;
  const build = useCallback(
    (frame: Frame) => make(table as TrialTable, frame),
    // The question stands for what the picture is made by.
    [table, question],
  );
  if (!table) return <Pending answer={answer} />;
  return (
    <Chart
      title={props.title}
      build={build}
      question={question}
      onTrial={props.onTrial}
      {...(props.onArea ? { onArea: props.onArea } : {})}
      {...(props.intervals ? { intervals: props.intervals } : {})}
      onIntervals={(intervals) => props.onIntervals?.(intervals, table)}
    />
  );
}
