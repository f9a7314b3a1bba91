/** Objective by trial number, with the best so far. */
import type { ScatterSeriesOption, XAXisComponentOption } from "echarts";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { trialLook } from "../ui/statuses";
import { hasPlace, leftAxis, lowerAxis, placeNotes, type ScaleChoice, scaleOf } from "./axes";
import { baseOption, groupByStatus, legendAbove, plotGrid, statusStyle, zoomInside } from "./base";
import { formatValue } from "./format";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { columnOf, type TrialTable, unknownInfo } from "./table";

export type Direction = "maximize" | "minimize";

export interface HistoryData {
  table: TrialTable;
  /** The column shown. */
  metric: string;
  direction: Direction;
  scale?: ScaleChoice;
}

/** The rows at which a succeeded trial was better than all before it, in the order of numbers. */
export function bestSoFar(table: TrialTable, values: readonly number[], direction: Direction): number[] {
  const better = direction === "maximize" ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  const rows = table.numbers
    .map((_, row) => row)
    .filter((row) => table.statuses[row] === Trial_Status.SUCCEEDED && Number.isFinite(values[row]))
    .sort((one, other) => (table.numbers[one] ?? 0) - (table.numbers[other] ?? 0));
  const steps: number[] = [];
  for (const row of rows) {
    const last = steps.at(-1);
    if (last === undefined || better(values[row] ?? 0, values[last] ?? 0)) steps.push(row);
  }
  return steps;
}

/** The picture of objective by trial number. */
export function objectiveHistory(data: HistoryData, frame: Frame): Picture {
  const { table, metric } = data;
  const column = columnOf(table, metric);
  const scale = scaleOf(column, data.scale);
  const rows = column.values.map((_, row) => row).filter((row) => hasPlace(column.values[row] ?? 0, scale));
  const notes = frame.compact ? [] : [...thinnedNote(table), ...placeNotes(column, scale)];
  if (table.ids.length === 0) return emptyPicture("No trial is there yet that the filter holds for.");
  if (rows.length === 0) return emptyPicture(`No trial has a number as ${metric} yet.`, notes);

  const groups = groupByStatus(table, rows);
  const points = (list: number[]) => list.map((row) => [table.numbers[row] ?? 0, column.values[row] ?? 0]);
  const series: ScatterSeriesOption[] = groups.map((group) => ({
    type: "scatter",
    name: group.name,
    data: points(group.rows),
    ...statusStyle(frame.theme, group.status, rows.length),
  }));
  const steps = scale === "category" ? [] : bestSoFar(table, column.values, data.direction);
  const line = points(steps);
  const lastNumber = Math.max(...[rows.at(-1), rows[0]].map((row) => table.numbers[row ?? 0] ?? 0));
  const lastBest = line.at(-1);
  if (lastBest && lastNumber > (lastBest[0] ?? 0)) line.push([lastNumber, lastBest[1] ?? 0]);

  const describe = (mark: Mark) => {
    if (mark.seriesIndex > groups.length) return undefined;
    const group = groups[mark.seriesIndex];
    const row = group ? group.rows[mark.dataIndex] : steps[Math.min(mark.dataIndex, steps.length - 1)];
    if (row === undefined) return undefined;
    const kind = column.info.kind;
    const value = formatValue(column.values[row] ?? Number.NaN, kind, column.categories);
    const words: [string, string][] = [[metric, value]];
    if (!group) words.push(["", "the best so far"]);
    return describeTrial(table, row, words);
  };
  return {
    option: {
      ...baseOption(frame),
      grid: plotGrid(frame),
      ...(frame.compact
        ? {}
        : { legend: legendAbove(frame.theme, [...groups.map((g) => g.name), "best so far"]) }),
      xAxis: numberAxis(table, frame),
      yAxis: { ...leftAxis(column, scale, frame.theme), ...(frame.compact ? { name: "" } : {}) },
      ...(frame.compact ? {} : { dataZoom: zoomInside(["x", "y"]) }),
      series: [
        ...series,
        {
          type: "line",
          name: "best so far",
          data: line,
          step: "end",
          symbol: "none",
          lineStyle: { width: 2, color: frame.theme.text },
          itemStyle: { color: frame.theme.text },
          emphasis: { disabled: true },
          tooltip: { show: false },
          z: 3,
        },
      ],
    },
    marks: () => [
      ...groups.map((group, seriesIndex) => group.rows.map((_, dataIndex) => ({ seriesIndex, dataIndex }))),
      steps.map((_, dataIndex) => ({ seriesIndex: groups.length, dataIndex })),
    ],
    describe,
    table: () => ({
      headers: ["trial", "status", metric],
      rows: rows.map((row) => [
        String(table.numbers[row]),
        trialLook(table.statuses[row] ?? 0).word,
        formatValue(column.values[row] ?? Number.NaN, column.info.kind, column.categories),
      ]),
    }),
    notes,
    area: { x: { info: unknownInfo("number"), values: table.numbers }, y: column },
  };
}

/** Returns the axis of trial numbers. */
export function numberAxis(table: TrialTable, frame: Frame): XAXisComponentOption {
  const numbers = { info: unknownInfo("trial number"), values: table.numbers };
  const axis = lowerAxis(numbers, "linear", frame.theme);
  return { ...axis, minInterval: 1, splitLine: { show: false } } as XAXisComponentOption;
}
