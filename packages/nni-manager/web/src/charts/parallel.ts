/** Parallel coordinates: an axis for each column, a line for each trial (Inselberg, 1985). */

import { formatNumber } from "../ui/format";
import { trialLook } from "../ui/statuses";
import { axisLook, type Scale, type ScaleChoice, scaleOf, tickText } from "./axes";
import { baseOption } from "./base";
import { formatValue } from "./format";
import type { Direction } from "./objective_history";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { extent } from "./statistics";
import { type ColumnData, columnOf, rowsOf, type TrialTable } from "./table";

/** What the picture of parallel coordinates shows. */
export interface ParallelData {
  table: TrialTable;
  /** The axes, from left to right. */
  axes: string[];
  /** The column that colours the lines and that the best are chosen by. */
  metric: string;
  direction: Direction;
  /** The share of trials shown, the best ones first, up to 1. */
  top: number;
  /** The scale of the axes that the reader chose one for. */
  scales?: Record<string, ScaleChoice>;
}

/** Returns the rows of the best share of trials; those without a number as metric are among them only at 1. */
export function bestRows(values: readonly number[], direction: Direction, top: number): number[] {
  const all = values.map((_, row) => row);
  if (top >= 1) return all;
  const sign = direction === "maximize" ? -1 : 1;
  const ranked = all
    .filter((row) => Number.isFinite(values[row]))
    .sort((one, other) => sign * ((values[one] ?? 0) - (values[other] ?? 0)));
  return ranked.slice(0, Math.max(1, Math.ceil(ranked.length * top))).sort((one, other) => one - other);
}

/** Returns the scale of an axis; only positive values have a logarithm, so others make it linear. */
export function parallelScale(column: ColumnData, choice: ScaleChoice = "automatic"): Scale {
  const scale = scaleOf(column, choice);
  const logarithmic = scale === "logarithmic" && column.values.every((value) => !(value <= 0));
  return scale === "logarithmic" && !logarithmic ? "linear" : scale;
}

/** Returns the picture of parallel coordinates. */
export function parallel(data: ParallelData, frame: Frame): Picture {
  const whole = data.table;
  const metric = columnOf(whole, data.metric);
  const table = rowsOf(whole, bestRows(metric.values, data.direction, data.top));
  const columns = data.axes.map((name) => columnOf(table, name));
  const notes = thinnedNote(whole);
  if (data.top < 1) notes.push(`The best ${table.ids.length} by ${data.metric} are shown.`);
  if (table.ids.length === 0) return emptyPicture("No trial is there yet that the filter holds for.", notes);
  if (columns.length === 0) return emptyPicture("Choose at least one axis.", notes);
  if (columns.length === 1) notes.push("With one axis there are points and no lines; add another axis.");

  const colour = columnOf(table, data.metric);
  const range = colour.categories ? undefined : extent(colour.values);
  const uncoloured = colour.values.filter((value) => !Number.isFinite(value)).length;
  if (uncoloured > 0) notes.push(`Grey lines are trials without a number as ${data.metric}: ${uncoloured}.`);
  // The best is the most striking colour, whichever way is better.
  const ramp = data.direction === "maximize" ? frame.theme.ramp : [...frame.theme.ramp].reverse();
  const scales = columns.map((column) => parallelScale(column, data.scales?.[column.info.name]));
  const many = table.ids.length > 200;
  const describe = (mark: Mark) =>
    describeTrial(
      table,
      mark.dataIndex,
      [...new Set([...columns, colour])].map((column): [string, string] => [
        column.info.name,
        formatValue(column.values[mark.dataIndex] ?? Number.NaN, column.info.kind, column.categories),
      ]),
    );
  const spread = range && range[0] < range[1] ? range : undefined;
  return {
    option: {
      ...baseOption(frame),
      animation: false,
      parallel: {
        left: 40,
        right: 70,
        top: 48,
        bottom: spread ? 64 : 24,
        axisExpandable: false,
        parallelAxisDefault: {
          areaSelectStyle: {
            color: frame.theme.accent,
            borderColor: frame.theme.accent,
            opacity: 0.35,
            width: 14,
          },
        },
      },
      parallelAxis: columns.map((column, dim) =>
        parallelAxis(column, scales[dim] ?? "linear", dim, frame, columns.length),
      ),
      ...(spread
        ? {
            visualMap: {
              type: "continuous" as const,
              min: spread[0],
              max: spread[1],
              dimension: columns.length,
              orient: "horizontal" as const,
              left: "center",
              bottom: 4,
              itemWidth: 12,
              itemHeight: Math.min(260, frame.width / 3),
              calculable: false,
              text: [`${data.metric} ${formatNumber(spread[1], 4)}`, formatNumber(spread[0], 4)],
              textStyle: { color: frame.theme.text },
              inRange: { color: ramp },
              outOfRange: { color: [frame.theme.muted] },
              seriesIndex: 0,
            },
          }
        : {}),
      series: [
        {
          type: "parallel",
          name: "trials",
          realtime: false,
          lineStyle: { width: 1.5, opacity: many ? 0.35 : 0.75, color: frame.theme.accent },
          emphasis: { lineStyle: { width: 4, opacity: 1 } },
          inactiveOpacity: 0.03,
          activeOpacity: 0.9,
          data: table.ids.map((_, row) => ({
            value: [...columns, colour].map((column) => drawnValue(column.values[row])),
            ...(Number.isFinite(colour.values[row]) ? {} : { lineStyle: { color: frame.theme.muted } }),
          })) as { value: number[] }[],
        },
      ],
    },
    marks: () => [table.ids.map((_, dataIndex) => ({ seriesIndex: 0, dataIndex }))],
    describe,
    table: () => ({
      headers: ["trial", "status", ...columns.map((column) => column.info.name)],
      rows: table.ids.map((_, row) => [
        String(table.numbers[row]),
        trialLook(table.statuses[row] ?? 0).word,
        ...columns.map((column) =>
          formatValue(column.values[row] ?? Number.NaN, column.info.kind, column.categories),
        ),
      ]),
    }),
    notes,
  };
}

/** Returns what the chart library takes for a value; what is no number has no place on an axis. */
function drawnValue(value: number | undefined): number | "-" {
  return value !== undefined && Number.isFinite(value) ? value : "-";
}

function parallelAxis(column: ColumnData, scale: Scale, dim: number, frame: Frame, count: number) {
  const look = axisLook(frame.theme);
  const shared = {
    ...look,
    dim,
    id: `axis-${dim}`,
    name: column.info.name,
    nameLocation: "end" as const,
    nameGap: 14,
    nameTruncate: { maxWidth: Math.max(50, (frame.width - 90) / count - 8), ellipsis: "…" },
    nameTextStyle: { ...look.nameTextStyle, color: frame.theme.text },
    axisLabel: {
      ...look.axisLabel,
      color: frame.theme.text,
      textBorderColor: frame.theme.background,
      textBorderWidth: 3,
      formatter: tickText(column),
      width: 90,
      overflow: "truncate" as const,
    },
  };
  if (scale === "category") return { ...shared, type: "category" as const, data: column.categories ?? [] };
  const values = extent(column.values.filter((value) => scale !== "logarithmic" || value > 0));
  const [low, high] = values ?? [0, 1];
  const low2 = Math.min(low, column.info.low ?? low);
  const high2 = Math.max(high, column.info.high ?? high);
  if (scale === "logarithmic") {
    return {
      ...shared,
      type: "log" as const,
      min: low2 > 0 ? low2 : low,
      max: high2 > low2 ? high2 : low2 * 10,
    };
  }
  return { ...shared, type: "value" as const, min: low2, max: high2 > low2 ? high2 : low2 + 1 };
}
