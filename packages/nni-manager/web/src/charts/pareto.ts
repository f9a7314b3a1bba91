/** Two metrics against each other, with the trials that no other beats in both. */
import { hasPlace, leftAxis, lowerAxis, placeNotes, type ScaleChoice, scaleOf } from "./axes";
import { baseOption, groupByStatus, legendAbove, plotGrid, statusStyle, zoomInside } from "./base";
import { formatValue } from "./format";
import type { Direction } from "./objective_history";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { columnOf, type TrialTable } from "./table";

export interface ParetoData {
  table: TrialTable;
  x: string;
  y: string;
  xDirection: Direction;
  yDirection: Direction;
  xScale?: ScaleChoice;
  yScale?: ScaleChoice;
}

/** The places of the points that no other point beats in both directions, from the best x to the best y. */
export function paretoFront(
  points: readonly [x: number, y: number][],
  xDirection: Direction,
  yDirection: Direction,
): number[] {
  const sx = xDirection === "minimize" ? 1 : -1;
  const sy = yDirection === "minimize" ? 1 : -1;
  const at = (place: number) => points[place] ?? [0, 0];
  const order = points
    .map((_, place) => place)
    .sort((one, other) => sx * (at(one)[0] - at(other)[0]) || sy * (at(one)[1] - at(other)[1]));
  const front: number[] = [];
  for (const place of order) {
    const last = front.at(-1);
    if (last === undefined || sy * (at(place)[1] - at(last)[1]) < 0) front.push(place);
    else if (at(place)[0] === at(last)[0] && at(place)[1] === at(last)[1]) front.push(place);
  }
  return front;
}

/** The picture of two metrics and their front. */
export function pareto(data: ParetoData, frame: Frame): Picture {
  const { table } = data;
  const x = columnOf(table, data.x);
  const y = columnOf(table, data.y);
  const xScale = scaleOf(x, data.xScale);
  const yScale = scaleOf(y, data.yScale);
  const notes = [...thinnedNote(table), ...placeNotes(x, xScale)];
  if (data.x !== data.y) notes.push(...placeNotes(y, yScale));
  if (data.x === data.y) notes.push("Both axes show the same metric: choose another one for one of them.");
  const rows = table.ids
    .map((_, row) => row)
    .filter(
      (row) => hasPlace(x.values[row] ?? Number.NaN, xScale) && hasPlace(y.values[row] ?? Number.NaN, yScale),
    );
  if (rows.length === 0)
    return emptyPicture(`No trial has a number as both ${data.x} and ${data.y} yet.`, notes);

  const point = (row: number): [number, number] => [x.values[row] ?? 0, y.values[row] ?? 0];
  const front = paretoFront(rows.map(point), data.xDirection, data.yDirection).map(
    (place) => rows[place] ?? 0,
  );
  const onFront = new Set(front);
  const groups = groupByStatus(
    table,
    rows.filter((row) => !onFront.has(row)),
  );
  const lists = [...groups.map((group) => group.rows), front];
  const describe = (mark: Mark) => {
    const row = lists[mark.seriesIndex]?.[mark.dataIndex];
    if (row === undefined) return undefined;
    const lines: [string, string][] = [
      [data.x, formatValue(x.values[row] ?? Number.NaN, x.info.kind, x.categories)],
      [data.y, formatValue(y.values[row] ?? Number.NaN, y.info.kind, y.categories)],
    ];
    if (onFront.has(row)) lines.push(["", "on the front"]);
    return describeTrial(table, row, lines);
  };
  return {
    option: {
      ...baseOption(frame),
      grid: plotGrid(frame),
      legend: legendAbove(frame.theme, ["Pareto front", ...groups.map((group) => group.name)]),
      xAxis: lowerAxis(x, xScale, frame.theme),
      yAxis: leftAxis(y, yScale, frame.theme),
      dataZoom: zoomInside(["x", "y"]),
      series: [
        ...groups.map((group) => ({
          type: "scatter" as const,
          name: group.name,
          data: group.rows.map(point),
          ...statusStyle(frame.theme, group.status, rows.length),
          z: 2,
        })),
        {
          type: "line",
          name: "Pareto front",
          data: front.map(point),
          step: "end",
          symbol: "circle",
          symbolSize: 11,
          lineStyle: { width: 2, color: frame.theme.text },
          itemStyle: { color: frame.theme.accent, borderColor: frame.theme.text, borderWidth: 2 },
          emphasis: { scale: 1.5 },
          z: 3,
        },
      ],
    },
    marks: () =>
      lists.map((list, seriesIndex) => list.map((_, dataIndex) => ({ seriesIndex, dataIndex }))).reverse(),
    describe,
    table: () => ({
      headers: ["trial", data.x, data.y, "on the front"],
      rows: [...front, ...rows.filter((row) => !onFront.has(row))].map((row) => [
        String(table.numbers[row]),
        formatValue(x.values[row] ?? Number.NaN, x.info.kind, x.categories),
        formatValue(y.values[row] ?? Number.NaN, y.info.kind, y.categories),
        onFront.has(row) ? "yes" : "no",
      ]),
    }),
    notes: [`${front.length} of ${rows.length} trials are on the front.`, ...notes],
    area: { x, y },
  };
}
