/** How parameters and metrics go together: Spearman's rank correlation of each pair. */

import { formatNumber } from "../ui/format";
import { axisLook } from "./axes";
import { baseOption } from "./base";
import { type Description, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { spearman } from "./statistics";
import { columnOf, type TrialTable } from "./table";

/** What the matrix shows. */
export interface CorrelationData {
  table: TrialTable;
  /** The columns, in the order shown. */
  columns: string[];
}

/** Returns the matrix of rank correlations. */
export function correlation(data: CorrelationData, frame: Frame): Picture {
  const { table } = data;
  const notes = thinnedNote(table);
  const columns = data.columns.map((name) => columnOf(table, name));
  const texts = columns.filter((column) => column.categories).map((column) => column.info.name);
  const numeric = columns.filter(
    (column) => !column.categories && column.values.some((value) => !Number.isNaN(value)),
  );
  if (texts.length > 0) notes.push(`Not numbers, so without ranks: ${texts.join(", ")}.`);
  if (numeric.length < 2) return emptyPicture("Fewer than two columns have numbers to compare.", notes);
  const names = numeric.map((column) => column.info.name);
  const cells = numeric.flatMap((row, y) =>
    numeric.map((column, x) => ({
      x,
      y,
      ...(x === y ? { value: 1, pairs: 0 } : spearman(column.values, row.values)),
    })),
  );
  const shown = cells.filter((cell) => cell.value !== undefined);
  if (shown.length <= numeric.length)
    notes.push("At least three trials with different values are needed for a pair.");
  else if (shown.length < cells.length)
    notes.push("Empty cells have fewer than three pairs, or a single value.");
  const look = axisLook(frame.theme);
  const side = Math.max(numeric.length * 44, 220);
  const labels = (frame.width - 140) / numeric.length > 36;
  const axis = {
    ...look,
    type: "category" as const,
    data: names,
    splitLine: { show: false },
    axisTick: { show: false },
    splitArea: { show: false },
  };
  const label = {
    ...look.axisLabel,
    interval: 0,
    width: frame.width < 560 ? 84 : 150,
    overflow: "truncate" as const,
  };
  const describe = (mark: Mark): Description | undefined => {
    const cell = shown[mark.dataIndex];
    if (!cell) return undefined;
    const lines: [string, string][] = [["rank correlation", formatNumber(cell.value ?? Number.NaN, 3)]];
    if (cell.x !== cell.y) lines.push(["trials", String(cell.pairs)]);
    return { title: `${names[cell.y]} and ${names[cell.x]}`, lines };
  };
  return {
    height: side + 170,
    option: {
      ...baseOption(frame),
      animation: false,
      grid: { left: 8, right: 16, top: 8, bottom: 56, outerBoundsMode: "same", outerBoundsContain: "all" },
      xAxis: { ...axis, axisLabel: { ...label, rotate: 40 } },
      yAxis: { ...axis, inverse: true, axisLabel: label },
      visualMap: {
        type: "continuous",
        min: -1,
        max: 1,
        calculable: false,
        orient: "horizontal",
        left: "center",
        bottom: 0,
        itemWidth: 12,
        itemHeight: Math.min(260, frame.width / 2),
        text: ["1", "-1"],
        textStyle: { color: frame.theme.text },
        inRange: { color: frame.theme.diverging },
      },
      series: [
        {
          type: "heatmap",
          name: "rank correlation",
          data: shown.map((cell) => ({
            value: [cell.x, cell.y, cell.value ?? 0],
            label: { color: Math.abs(cell.value ?? 0) > 0.6 ? frame.theme.background : frame.theme.text },
          })),
          label: {
            show: labels,
            formatter: ({ value }) => formatNumber((value as number[])[2] ?? 0, 2),
          },
          itemStyle: { borderColor: frame.theme.background, borderWidth: 2 },
          emphasis: { itemStyle: { borderColor: frame.theme.text, borderWidth: 2 } },
        },
      ],
    },
    marks: () =>
      names.map((_, y) =>
        shown.flatMap((cell, dataIndex) => (cell.y === y ? [{ seriesIndex: 0, dataIndex }] : [])),
      ),
    describe,
    table: () => ({
      headers: ["", ...names],
      rows: names.map((name, y) => [
        name,
        ...names.map((_, x) => {
          const value = shown.find((cell) => cell.x === x && cell.y === y)?.value;
          return value === undefined ? "none" : formatNumber(value, 3);
        }),
      ]),
    }),
    notes,
  };
}
