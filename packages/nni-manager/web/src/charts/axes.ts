/** Axes: linear, logarithmic, of categories, durations and times, all of them from a column. */
import type { XAXisComponentOption, YAXisComponentOption } from "echarts";
import { formatDuration, formatNumber, formatTime } from "../ui/format";
import { count } from "./format";
import type { ColumnData } from "./table";
import type { Theme } from "./theme";

/** How a reader wants an axis: as its column is, or one way or the other. */
export type ScaleChoice = "automatic" | "linear" | "logarithmic";
export type Scale = "linear" | "logarithmic" | "category";

const decades = 3;

/** Whether positive values lie more than three powers of ten apart. */
export function spansDecades(values: readonly number[]): boolean {
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value <= 0) return false;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high / low > 10 ** decades;
}

/** The scale of a column: the reader's choice, else the search space's, else what the values need. */
export function scaleOf(column: ColumnData, choice: ScaleChoice = "automatic"): Scale {
  if (column.categories) return "category";
  if (column.info.kind === "time") return "linear";
  if (choice !== "automatic") {
    return choice === "logarithmic" && column.values.some((value) => value > 0) ? "logarithmic" : "linear";
  }
  if (column.info.logarithmic) {
    return column.values.every((value) => !(value <= 0)) ? "logarithmic" : "linear";
  }
  return spansDecades(column.values) ? "logarithmic" : "linear";
}

/** Whether a value has a place on an axis of the scale. */
export function hasPlace(value: number, scale: Scale): boolean {
  return Number.isFinite(value) && (scale !== "logarithmic" || value > 0);
}

/** A value's place on the scale as a plain number, for what is computed between axes. */
export function placeOn(value: number, scale: Scale): number {
  return scale === "logarithmic" ? Math.log10(value) : value;
}

/** A sentence for each kind of value that the scale has no place for. */
export function placeNotes(column: ColumnData, scale: Scale): string[] {
  let missing = 0;
  let infinite = 0;
  let low = 0;
  for (const value of column.values) {
    if (Number.isNaN(value)) missing++;
    else if (!Number.isFinite(value)) infinite++;
    else if (!hasPlace(value, scale)) low++;
  }
  const name = column.info.name;
  const notes: string[] = [];
  if (missing > 0) notes.push(`${count(missing, "trial has", "trials have")} no value of ${name}.`);
  if (infinite > 0) notes.push(`${count(infinite, "trial has", "trials have")} an infinite ${name}.`);
  if (low > 0) {
    const trials = count(low, "trial has", "trials have");
    notes.push(`${trials} a ${name} at or below 0, which has no place on a logarithmic axis.`);
  }
  return notes;
}

/** The name of an axis with its unit. */
export function axisName(column: ColumnData, scale: Scale): string {
  if (column.info.kind === "time") return `${column.info.name} (time)`;
  return scale === "logarithmic" ? `${column.info.name} (log)` : column.info.name;
}

/** How an axis writes the value of a tick. */
export function tickText(column: ColumnData): (value: number | string) => string {
  const kind = column.info.kind;
  return (value) => {
    if (typeof value === "string" && kind === "category") return value;
    const number = Number(value);
    if (kind === "duration") return formatDuration(number);
    if (kind === "time") return formatTime(number);
    return formatNumber(number, 4);
  };
}

/** What every axis looks like. */
export function axisLook(theme: Theme) {
  return {
    nameTextStyle: { color: theme.muted, fontFamily: theme.font },
    axisLabel: { color: theme.muted, fontFamily: theme.font, hideOverlap: true },
    axisLine: { onZero: false, lineStyle: { color: theme.muted } },
    axisTick: { lineStyle: { color: theme.muted } },
    splitLine: { lineStyle: { color: theme.line } },
  };
}

/** The option of an axis for the column, the same for both directions. */
export function axisOption(column: ColumnData, scale: Scale, theme: Theme) {
  const look = axisLook(theme);
  const axisLabel = { ...look.axisLabel, formatter: tickText(column) };
  if (scale === "category") {
    return {
      ...look,
      type: "category" as const,
      data: column.categories ?? [],
      name: axisName(column, scale),
      axisLabel: { ...axisLabel, width: 110, overflow: "truncate" as const },
      splitLine: { show: false },
    };
  }
  return {
    ...look,
    type: scale === "logarithmic" ? ("log" as const) : ("value" as const),
    scale: true,
    name: axisName(column, scale),
    axisLabel,
  };
}

/** How wide the name of an axis may be, in pixels, where nobody says otherwise. */
const NAME_ROOM = 280;

/** A column as the lower axis; its name has `room` pixels. */
export function lowerAxis(
  column: ColumnData,
  scale: Scale,
  theme: Theme,
  room = NAME_ROOM,
): XAXisComponentOption {
  return {
    ...axisOption(column, scale, theme),
    nameLocation: "middle",
    nameGap: 28,
    nameTruncate: { maxWidth: room, ellipsis: "…" },
  };
}

/** A column as the left axis; its name stands above it, where it needs no room of the plot. */
export function leftAxis(column: ColumnData, scale: Scale, theme: Theme): YAXisComponentOption {
  const option = axisOption(column, scale, theme);
  return {
    ...option,
    nameLocation: "end",
    nameGap: 12,
    nameTruncate: { maxWidth: NAME_ROOM, ellipsis: "…" },
    nameTextStyle: { ...option.nameTextStyle, align: "left" },
  };
}
