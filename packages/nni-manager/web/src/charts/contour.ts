/** The objective over two parameters: values between trials as a map, the trials as points on it. */

import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from "echarts";
import { formatNumber } from "../ui/format";
import { axisOption, hasPlace, leftAxis, lowerAxis, placeOn, type Scale, scaleOf } from "./axes";
import { baseOption, plotGrid } from "./base";
import { formatValue } from "./format";
import type { Direction } from "./objective_history";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { extent, interpolate, type Sample } from "./statistics";
import { type ColumnData, columnOf, type TrialTable } from "./table";

/** What the picture of two parameters shows. */
export interface ContourData {
  table: TrialTable;
  x: string;
  y: string;
  metric: string;
  direction: Direction;
}

/** A rectangle of the map: its corners on the axes and its value. */
export type Cell = [left: number, right: number, bottom: number, top: number, value: number];

const steps = 44;
/** How far from a trial, as a share of an axis, a value is still told. */
const reach = 0.18;

interface Side {
  scale: Scale;
  low: number;
  high: number;
  cells: number;
}

function sideOf(column: ColumnData, rows: readonly number[]): Side {
  const scale = scaleOf(column);
  if (column.categories)
    return { scale, low: -0.5, high: column.categories.length - 0.5, cells: column.categories.length };
  const [low, high] = extent(rows.map((row) => placeOn(column.values[row] ?? Number.NaN, scale))) ?? [0, 1];
  return { scale, low: low === high ? low - 0.5 : low, high: low === high ? high + 0.5 : high, cells: steps };
}

/** Returns the value of a share of the side, as its axis has it. */
function valueAt(side: Side, share: number): number {
  const place = side.low + share * (side.high - side.low);
  return side.scale === "logarithmic" ? 10 ** place : place;
}

/** Returns the cells of the map; those too far from any trial are left out. */
export function mapCells(
  x: ColumnData,
  y: ColumnData,
  values: readonly number[],
  rows: readonly number[],
): Cell[] {
  const across = sideOf(x, rows);
  const up = sideOf(y, rows);
  const share = (column: ColumnData, side: Side, row: number) =>
    (placeOn(column.values[row] ?? Number.NaN, side.scale) - side.low) / (side.high - side.low);
  const samples: Sample[] = rows.map((row) => ({
    x: share(x, across, row),
    y: share(y, up, row),
    value: values[row] ?? 0,
  }));
  const cells: Cell[] = [];
  for (let column = 0; column < across.cells; column++) {
    // Nothing lies between categories: only the trials of a category count for it.
    const inColumn = x.categories
      ? samples.filter((one) => Math.floor(one.x * across.cells) === column)
      : samples;
    for (let line = 0; line < up.cells; line++) {
      const near = y.categories ? inColumn.filter((one) => Math.floor(one.y * up.cells) === line) : inColumn;
      const value = interpolate(near, (column + 0.5) / across.cells, (line + 0.5) / up.cells, reach);
      if (value === undefined) continue;
      cells.push([
        valueAt(across, column / across.cells),
        valueAt(across, (column + 1) / across.cells),
        valueAt(up, line / up.cells),
        valueAt(up, (line + 1) / up.cells),
        value,
      ]);
    }
  }
  return cells;
}

function drawCell(
  _: CustomSeriesRenderItemParams,
  api: CustomSeriesRenderItemAPI,
  x: ColumnData,
  y: ColumnData,
) {
  const corner = (horizontal: number, vertical: number) =>
    api.coord([api.value(horizontal), api.value(vertical)]);
  // On an axis of categories only the middle has a place; the cell is as wide as its band.
  const band = (api.size?.([1, 1]) ?? [0, 0]) as number[];
  const middle = api.coord([
    (Number(api.value(0)) + Number(api.value(1))) / 2,
    (Number(api.value(2)) + Number(api.value(3))) / 2,
  ]);
  const lower = corner(0, 2);
  const upper = corner(1, 3);
  const [width, height] = [band[0] ?? 0, band[1] ?? 0];
  const left = x.categories ? (middle[0] ?? 0) - width / 2 : (lower[0] ?? 0);
  const right = x.categories ? (middle[0] ?? 0) + width / 2 : (upper[0] ?? 0);
  const bottom = y.categories ? (middle[1] ?? 0) + height / 2 : (lower[1] ?? 0);
  const top = y.categories ? (middle[1] ?? 0) - height / 2 : (upper[1] ?? 0);
  return {
    type: "rect" as const,
    // A pixel more hides the seams between cells.
    shape: { x: left, y: top, width: right - left + 1, height: bottom - top + 1 },
    style: { fill: api.visual("color") as string },
    silent: true,
  };
}

/** Returns the picture of the objective over two parameters. */
export function contour(data: ContourData, frame: Frame): Picture {
  const { table } = data;
  const x = columnOf(table, data.x);
  const y = columnOf(table, data.y);
  const metric = columnOf(table, data.metric);
  const notes = thinnedNote(table);
  if (!data.x || !data.y || data.x === data.y) {
    return emptyPicture(
      "Choose two different parameters. A search space with a single one is shown by slices.",
      notes,
    );
  }
  const scales = { x: scaleOf(x), y: scaleOf(y) };
  const rows = table.ids
    .map((_, row) => row)
    .filter(
      (row) =>
        hasPlace(x.values[row] ?? Number.NaN, scales.x) &&
        hasPlace(y.values[row] ?? Number.NaN, scales.y) &&
        Number.isFinite(metric.values[row]),
    );
  if (rows.length === 0 || metric.categories) {
    return emptyPicture(`No trial has ${data.x}, ${data.y} and a number as ${data.metric} yet.`, notes);
  }
  const left = table.ids.length - rows.length;
  if (left > 0) notes.push(`Trials without all three values are left out: ${left}.`);
  const cells = rows.length >= 4 ? mapCells(x, y, metric.values, rows) : [];
  notes.push(
    cells.length > 0
      ? "Colours between trials are interpolated from the nearest ones; places far from any trial stay empty."
      : "With fewer than four trials nothing is interpolated between them.",
  );
  const [low, high] = extent(rows.map((row) => metric.values[row] ?? 0)) ?? [0, 1];
  const ramp = data.direction === "maximize" ? frame.theme.ramp : [...frame.theme.ramp].reverse();
  const describe = (mark: Mark) => {
    const row = rows[mark.dataIndex];
    if (mark.seriesIndex !== 1 || row === undefined) return undefined;
    return describeTrial(
      table,
      row,
      [x, y, metric].map((column): [string, string] => [
        column.info.name,
        formatValue(column.values[row] ?? Number.NaN, column.info.kind, column.categories),
      ]),
    );
  };
  const axisRange = (column: ColumnData) => {
    const side = sideOf(column, rows);
    if (column.categories) return {};
    const option = axisOption(column, side.scale, frame.theme);
    const axisLabel = { ...option.axisLabel, showMinLabel: false, showMaxLabel: false };
    return { min: valueAt(side, 0), max: valueAt(side, 1), axisLabel };
  };
  return {
    option: {
      ...baseOption(frame),
      animation: false,
      grid: plotGrid(frame),
      xAxis: { ...lowerAxis(x, scales.x, frame.theme), ...axisRange(x) } as Picture["option"]["xAxis"],
      yAxis: { ...leftAxis(y, scales.y, frame.theme), ...axisRange(y) } as Picture["option"]["yAxis"],
      // Without a dimension, each series is coloured by its last one.
      visualMap: {
        type: "continuous",
        min: low,
        max: high > low ? high : low + 1,
        calculable: false,
        orient: "horizontal",
        top: 0,
        left: "center",
        itemWidth: 12,
        itemHeight: Math.min(240, frame.width / 3),
        text: [formatNumber(high, 4), `${data.metric} ${formatNumber(low, 4)}`],
        textStyle: { color: frame.theme.text },
        inRange: { color: ramp },
      },
      series: [
        {
          type: "custom",
          zlevel: 0,
          name: "between trials",
          renderItem: (params, api) => drawCell(params, api, x, y),
          data: cells,
          dimensions: ["left", "right", "bottom", "top", "value"],
          encode: { x: [0, 1], y: [2, 3] },
          silent: true,
          tooltip: { show: false },
          clip: true,
          progressive: 0,
          z: 1,
        },
        {
          type: "scatter",
          name: "trials",
          data: rows.map((row) => [x.values[row] ?? 0, y.values[row] ?? 0, metric.values[row] ?? 0]),
          symbolSize: rows.length > 500 ? 5 : 9,
          itemStyle: { borderColor: frame.theme.background, borderWidth: 1.5 },
          emphasis: { scale: 1.6, itemStyle: { borderColor: frame.theme.text, borderWidth: 2 } },
        },
      ],
    },
    marks: () => [rows.map((_, dataIndex) => ({ seriesIndex: 1, dataIndex }))],
    describe,
    table: () => ({
      headers: ["trial", data.x, data.y, data.metric],
      rows: rows.map((row) => [
        String(table.numbers[row]),
        ...[x, y, metric].map((column) =>
          formatValue(column.values[row] ?? Number.NaN, column.info.kind, column.categories),
        ),
      ]),
    }),
    notes,
    area: { x, y },
  };
}
