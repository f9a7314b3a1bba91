/** Each parameter against the objective: small plots side by side. */

import { trialLook } from "../ui/statuses";
import { hasPlace, leftAxis, lowerAxis, type ScaleChoice, scaleOf } from "./axes";
import { baseOption, groupByStatus, legendAbove, statusStyle } from "./base";
import { formatValue } from "./format";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { extent, roundedOut } from "./statistics";
import { columnOf, type TrialTable } from "./table";

/** What the picture of slices shows. */
export interface SlicesData {
  table: TrialTable;
  /** The parameters, one plot each. */
  parameters: string[];
  metric: string;
  scale?: ScaleChoice;
}

const plotHeight = 250;
const leastWidth = 300;

/** Returns the picture of slices; as many plots side by side as the width has room for. */
export function slices(data: SlicesData, frame: Frame): Picture {
  const { table } = data;
  const metric = columnOf(table, data.metric);
  const scale = scaleOf(metric, data.scale);
  const notes = thinnedNote(table);
  if (data.parameters.length === 0) return emptyPicture("There is no parameter to show.", notes);
  const measured = table.ids
    .map((_, row) => row)
    .filter((row) => hasPlace(metric.values[row] ?? Number.NaN, scale));
  if (measured.length === 0) return emptyPicture(`No trial has a number as ${data.metric} yet.`, notes);

  const plots = data.parameters.map((name) => {
    const column = columnOf(table, name);
    const ownScale = scaleOf(column);
    const rows = measured.filter((row) => hasPlace(column.values[row] ?? Number.NaN, ownScale));
    return { column, scale: ownScale, rows };
  });
  const without = plots.filter((plot) => plot.rows.length === 0).map((plot) => plot.column.info.name);
  const shown = plots.filter((plot) => plot.rows.length > 0);
  if (without.length > 0) notes.push(`No trial with a ${data.metric} has a value of ${without.join(", ")}.`);
  if (shown.length === 0) return emptyPicture("No trial has both a parameter and a result yet.", notes);

  const across = Math.max(1, Math.min(shown.length, Math.floor(frame.width / leastWidth)));
  const down = Math.ceil(shown.length / across);
  const top = 36;
  const height = top + down * plotHeight;
  const cellWidth = frame.width / across;
  // The same range everywhere lets plots be compared.
  const range = extent(measured.map((row) => metric.values[row] ?? Number.NaN));
  const sameRange = range && scale === "linear" ? namedRange(roundedOut(range)) : {};
  const series = shown.flatMap((plot, place) =>
    groupByStatus(table, plot.rows).map((group) => ({ plot, place, group })),
  );
  const names = [...new Set(series.map(({ group }) => group.name))];
  const describe = (mark: Mark) => {
    const found = series[mark.seriesIndex];
    const row = found?.group.rows[mark.dataIndex];
    if (!found || row === undefined) return undefined;
    const { column } = found.plot;
    return describeTrial(table, row, [
      [column.info.name, formatValue(column.values[row] ?? Number.NaN, column.info.kind, column.categories)],
      [data.metric, formatValue(metric.values[row] ?? Number.NaN, metric.info.kind, metric.categories)],
    ]);
  };
  return {
    height,
    option: {
      ...baseOption(frame),
      legend: legendAbove(frame.theme, names),
      grid: shown.map((_, place) => ({
        left: (place % across) * cellWidth + 4,
        top: top + Math.floor(place / across) * plotHeight + 24,
        width: cellWidth - 20,
        height: plotHeight - 34,
        outerBoundsMode: "same" as const,
        outerBoundsContain: "all" as const,
      })),
      xAxis: shown.map((plot, gridIndex) => ({
        ...lowerAxis(plot.column, plot.scale, frame.theme, cellWidth - 60),
        gridIndex,
      })) as Picture["option"]["xAxis"],
      yAxis: shown.map((_, gridIndex) => ({
        ...leftAxis(metric, scale, frame.theme),
        ...sameRange,
        gridIndex,
      })) as Picture["option"]["yAxis"],
      series: series.map(({ plot, place, group }) => ({
        type: "scatter" as const,
        name: group.name,
        xAxisIndex: place,
        yAxisIndex: place,
        data: group.rows.map((row) => [plot.column.values[row] ?? 0, metric.values[row] ?? 0]),
        ...statusStyle(frame.theme, group.status, Math.max(measured.length, 101)),
      })),
    },
    marks: () =>
      shown.map((_, place) =>
        series
          .flatMap((one, seriesIndex) =>
            one.place === place
              ? one.group.rows.map((row, dataIndex) => ({ row, mark: { seriesIndex, dataIndex } }))
              : [],
          )
          .sort(
            (one, other) =>
              (shown[place]?.column.values[one.row] ?? 0) - (shown[place]?.column.values[other.row] ?? 0),
          )
          .map(({ mark }) => mark),
      ),
    describe,
    table: () => ({
      headers: ["trial", "status", data.metric, ...shown.map((plot) => plot.column.info.name)],
      rows: measured.map((row) => [
        String(table.numbers[row]),
        trialLook(table.statuses[row] ?? 0).word,
        formatValue(metric.values[row] ?? Number.NaN, metric.info.kind, metric.categories),
        ...shown.map(({ column }) =>
          formatValue(column.values[row] ?? Number.NaN, column.info.kind, column.categories),
        ),
      ]),
    }),
    notes,
  };
}

function namedRange([min, max]: [number, number]): { min: number; max: number } {
  return { min, max };
}
