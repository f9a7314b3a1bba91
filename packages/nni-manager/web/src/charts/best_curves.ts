/** The best so far of several experiments, one line each. */

import type { LineSeriesOption } from "echarts";
import { visible } from "../ui/text";
import { leftAxis, lowerAxis, scaleOf } from "./axes";
import { baseOption, legendAbove, plotGrid, zoomInside } from "./base";
import { formatValue } from "./format";
import { bestSoFar, type Direction } from "./objective_history";
import { type Description, emptyPicture, type Frame, type Mark, type Picture } from "./picture";
import { columnOf, type TrialTable, unknownInfo } from "./table";

/** One experiment. */
export interface BestSource {
  /** What it is called; no two have the same. */
  name: string;
  /** Its trials with the columns objective and ended. */
  table: TrialTable;
  direction: Direction;
  /** When it started, in seconds since 1970. */
  started: number | undefined;
}

/** What the picture shows. */
export interface BestCurvesData {
  sources: readonly BestSource[];
  /** What the lower axis is: the number of the trial, or the time since the experiment started. */
  along: "trial" | "time";
}

interface Step {
  x: number;
  value: number;
  trial: number;
}

/** Returns the trials at which an experiment got better, by what the lower axis is. */
function stepsOf(source: BestSource, along: BestCurvesData["along"]): Step[] {
  const { table, direction } = source;
  const values = columnOf(table, "objective").values;
  const numbers = table.numbers;
  if (along === "trial") {
    return bestSoFar(table, values, direction).map((row) => stepAt(row, numbers[row] ?? 0, values, numbers));
  }
  const ended = columnOf(table, "ended").values;
  const begin = source.started ?? Math.min(...ended.filter(Number.isFinite));
  const when = (row: number): number =>
    Number.isNaN(ended[row]) ? Number.POSITIVE_INFINITY : (ended[row] ?? 0);
  const byTime = ended.map((_, row) => row).sort((one, other) => (when(one) < when(other) ? -1 : 1));
  // Trials end in another order than that of their numbers.
  const places = new Array<number>(ended.length);
  for (const [place, row] of byTime.entries()) places[row] = place;
  return bestSoFar({ ...table, numbers: places }, values, direction)
    .filter((row) => Number.isFinite(ended[row]))
    .map((row) => stepAt(row, (ended[row] ?? 0) - begin, values, numbers));
}

function stepAt(row: number, x: number, values: readonly number[], numbers: readonly number[]): Step {
  return { x, value: values[row] ?? Number.NaN, trial: numbers[row] ?? 0 };
}

/** Returns where the line of an experiment ends. */
function lastOf(source: BestSource, along: BestCurvesData["along"]): number {
  const values = along === "trial" ? source.table.numbers : columnOf(source.table, "ended").values;
  const known = values.filter(Number.isFinite);
  const most = known.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY);
  if (along === "trial") return most;
  return most - (source.started ?? known.reduce((one, other) => Math.min(one, other), most));
}

/** Returns the picture of the best so far of several experiments. */
export function bestCurves(data: BestCurvesData, frame: Frame): Picture {
  const { sources, along } = data;
  const lines = sources.map((source) => ({ source, steps: stepsOf(source, along) }));
  const all = lines.flatMap((line) => line.steps.map((step) => step.value));
  if (all.length === 0) return emptyPicture("No trial of these experiments has succeeded with a number yet.");
  const column = { info: unknownInfo("objective"), values: all };
  const scale = scaleOf(column);
  const axis = { ...unknownInfo("trial number"), kind: "number" as const };
  const time = { ...unknownInfo("time since the start"), kind: "duration" as const };
  const lower = lowerAxis({ info: along === "trial" ? axis : time, values: [] }, "linear", frame.theme);

  const series = lines.map(({ source, steps }, place): LineSeriesOption => {
    const color = frame.theme.series[place % frame.theme.series.length] ?? frame.theme.text;
    const points = steps.map((step): [number, number] => [step.x, step.value]);
    const last = points.at(-1);
    const end = lastOf(source, along);
    if (last !== undefined && end > last[0]) points.push([end, last[1]]);
    return {
      type: "line",
      name: visible(source.name),
      data: points,
      step: "end",
      symbol: SYMBOLS[place % SYMBOLS.length] as string,
      symbolSize: 6,
      lineStyle: { width: 2, color },
      itemStyle: { color },
    };
  });

  const describe = (mark: Mark): Description | undefined => {
    const line = lines[mark.seriesIndex];
    const step = line?.steps[Math.min(mark.dataIndex, line.steps.length - 1)];
    if (line === undefined || step === undefined) return undefined;
    const where: [string, string] =
      along === "trial" ? ["trial", String(step.trial)] : ["after", formatValue(step.x, "duration")];
    return {
      title: visible(line.source.name),
      lines: [["best so far", formatValue(step.value, "number")], where],
    };
  };
  return {
    option: {
      ...baseOption(frame),
      grid: plotGrid(frame),
      legend: legendAbove(
        frame.theme,
        series.map((one) => String(one.name)),
      ),
      xAxis: lower,
      yAxis: leftAxis(column, scale, frame.theme),
      dataZoom: zoomInside(["x", "y"]),
      series,
    },
    marks: () =>
      lines.map((line, seriesIndex) => line.steps.map((_, dataIndex) => ({ seriesIndex, dataIndex }))),
    describe,
    table: () => ({
      headers: ["experiment", "trial", along === "trial" ? "number" : "after", "best so far"],
      rows: lines.flatMap(({ source, steps }) =>
        steps.map((step) => [
          source.name,
          String(step.trial),
          formatValue(step.x, along === "trial" ? "number" : "duration"),
          formatValue(step.value, "number"),
        ]),
      ),
    }),
    notes: notesOf(sources, lines),
  };
}

/** As many as there are colours, so that lines are told apart without them. */
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "arrow", "roundRect", "emptyCircle"];

function notesOf(
  sources: readonly BestSource[],
  lines: readonly { source: BestSource; steps: readonly Step[] }[],
): string[] {
  const notes: string[] = [];
  if (new Set(sources.map((source) => source.direction)).size > 1) {
    notes.push("Some of these experiments minimize and others maximize; each line is the best of its own.");
  }
  const without = lines.filter((line) => line.steps.length === 0).map((line) => visible(line.source.name));
  if (without.length > 0) notes.push(`No trial has succeeded with a number yet in: ${without.join(", ")}.`);
  for (const { name, table } of sources) {
    if (table.total > table.ids.length) {
      notes.push(`${visible(name)}: ${table.ids.length} of ${table.total} trials are read.`);
    }
  }
  return notes;
}
