/** How long each trial ran. */

import { formatDuration } from "../ui/format";
import { trialLook } from "../ui/statuses";
import { hasPlace, leftAxis, placeNotes, type ScaleChoice, scaleOf } from "./axes";
import { baseOption, groupByStatus, legendAbove, plotGrid, statusStyle, zoomInside } from "./base";
import { numberAxis } from "./objective_history";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { extent, median } from "./statistics";
import { columnOf, type TrialTable, unknownInfo } from "./table";

/** What the picture of durations shows. */
export interface DurationsData {
  table: TrialTable;
  scale?: ScaleChoice;
}

/** Returns the picture of durations by trial number. */
export function durations(data: DurationsData, frame: Frame): Picture {
  const { table } = data;
  const column = columnOf(table, "duration");
  const scale = scaleOf(column, data.scale);
  const rows = table.ids
    .map((_, row) => row)
    .filter((row) => hasPlace(column.values[row] ?? Number.NaN, scale));
  const notes = [...thinnedNote(table), ...placeNotes(column, scale)];
  if (rows.length === 0) return emptyPicture("No trial has run yet.", notes);
  const groups = groupByStatus(table, rows);
  const middle = median(rows.map((row) => column.values[row] ?? 0));
  const [first, last] = extent(rows.map((row) => table.numbers[row] ?? 0)) ?? [0, 0];
  const describe = (mark: Mark) => {
    const row = groups[mark.seriesIndex]?.rows[mark.dataIndex];
    if (row === undefined) return undefined;
    return describeTrial(table, row, [["duration", formatDuration(column.values[row] ?? Number.NaN)]]);
  };
  return {
    option: {
      ...baseOption(frame),
      grid: plotGrid(frame),
      legend: legendAbove(frame.theme, [...groups.map((group) => group.name), "median"]),
      xAxis: numberAxis(table, frame),
      yAxis: leftAxis(column, scale, frame.theme),
      dataZoom: zoomInside(["x", "y"]),
      series: [
        ...groups.map((group) => ({
          type: "scatter" as const,
          name: group.name,
          data: group.rows.map((row) => [table.numbers[row] ?? 0, column.values[row] ?? 0]),
          ...statusStyle(frame.theme, group.status, rows.length),
        })),
        {
          type: "line",
          name: "median",
          data: [
            [first, middle],
            [last, middle],
          ],
          symbol: "none",
          silent: true,
          tooltip: { show: false },
          lineStyle: { color: frame.theme.text, type: "dashed", width: 1.5 },
          itemStyle: { color: frame.theme.text },
        },
      ],
    },
    marks: () =>
      groups.map((group, seriesIndex) => group.rows.map((_, dataIndex) => ({ seriesIndex, dataIndex }))),
    describe,
    table: () => ({
      headers: ["trial", "status", "duration"],
      rows: rows.map((row) => [
        String(table.numbers[row]),
        trialLook(table.statuses[row] ?? 0).word,
        formatDuration(column.values[row] ?? Number.NaN),
      ]),
    }),
    notes: [`Half of the trials ran longer than ${formatDuration(middle)}.`, ...notes],
    area: { x: { info: unknownInfo("number"), values: table.numbers }, y: column },
  };
}
