/** What the options of all charts have in common. */
import type { EChartsOption, GridComponentOption, LegendComponentOption } from "echarts";
import { trialLook } from "../ui/statuses";
import type { Frame } from "./picture";
import { statusPlace, statusShape } from "./statuses";
import type { TrialTable } from "./table";
import type { Theme } from "./theme";

/** Fonts, movement and the background. */
export function baseOption(frame: Frame): EChartsOption {
  return {
    backgroundColor: "transparent",
    textStyle: { fontFamily: frame.theme.font, color: frame.theme.text },
    animation: !frame.theme.reducedMotion,
    animationDuration: 200,
    animationDurationUpdate: 150,
  };
}

/** The one plot of a chart; the names of axes and the legend have room around it. */
export function plotGrid(frame: Frame, legend = true): GridComponentOption {
  return {
    left: 12,
    right: frame.compact ? 8 : 20,
    // A compact one has neither a legend nor the name of its axis above it: its heading says it.
    top: frame.compact ? 10 : legend ? 52 : 24,
    bottom: frame.compact ? 2 : 12,
    outerBoundsMode: "same",
    outerBoundsContain: "all",
  };
}

/** The legend above the plot; a click on an entry hides it. */
export function legendAbove(theme: Theme, names: string[]): LegendComponentOption {
  return {
    type: "scroll",
    top: 0,
    left: 0,
    right: 8,
    data: names,
    itemWidth: 16,
    itemHeight: 10,
    textStyle: { color: theme.text, fontFamily: theme.font },
    inactiveColor: theme.line,
    pageIconColor: theme.text,
    pageIconInactiveColor: theme.line,
    pageTextStyle: { color: theme.muted },
  };
}

/** Zoom by the wheel and by dragging along the axes named. */
export function zoomInside(axes: ("x" | "y")[]) {
  return axes.map((axis) => ({
    type: "inside" as const,
    id: `zoom-${axis}`,
    filterMode: "none" as const,
    ...(axis === "x" ? { xAxisIndex: 0 } : { yAxisIndex: 0 }),
  }));
}

/** Rows of one status. */
export interface StatusGroup {
  status: number;
  name: string;
  rows: number[];
}

/** The rows by their status, in the order of legends. */
export function groupByStatus(table: TrialTable, rows: readonly number[]): StatusGroup[] {
  const groups = new Map<number, number[]>();
  for (const row of rows) {
    const status = table.statuses[row] ?? 0;
    const list = groups.get(status);
    if (list) list.push(row);
    else groups.set(status, [row]);
  }
  return [...groups]
    .sort(([one], [other]) => statusPlace(one) - statusPlace(other))
    .map(([status, list]) => ({ status, name: trialLook(status).word, rows: list }));
}

/** The size of a point when there are so many of them. */
export function pointSize(points: number): number {
  return points > 1000 ? 4 : points > 500 ? 6 : points > 100 ? 8 : 10;
}

const LARGE = 1000;

/** Colour and shape of a status's points. */
export function statusStyle(theme: Theme, status: number, points: number) {
  const many = points > 500;
  return {
    ...statusShape(status),
    symbolSize: pointSize(points),
    itemStyle: { color: theme.statuses[status] ?? theme.muted, opacity: many ? 0.7 : 0.9 },
    emphasis: { scale: 1.6, itemStyle: { opacity: 1, borderColor: theme.text, borderWidth: 2 } },
    // So many points are drawn in one go; one by one they take seconds.
    large: points > LARGE,
    largeThreshold: 0,
  };
}
