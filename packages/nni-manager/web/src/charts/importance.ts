/** How much each parameter matters, and which way. */

import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from "echarts";
import type { GetParameterImportanceResponse } from "../generated/nni_proto/v1/trial_table_pb";
import { formatNumber, formatShare } from "../ui/format";
import { axisLook } from "./axes";
import { baseOption } from "./base";
import { count } from "./format";
import { type Description, emptyPicture, type Frame, type Mark, type Picture } from "./picture";

/** What the picture of importance shows. */
export interface ImportanceData {
  answer: GetParameterImportanceResponse;
  metric: string;
}

const barHeight = 34;

/** Returns the picture of importance: bars with their error, beside them the rank correlation. */
export function importance(data: ImportanceData, frame: Frame): Picture {
  const list = data.answer.importances;
  if (list.length === 0) return emptyPicture("There is no parameter whose importance could be measured.");
  const narrow = frame.width < 640;
  const names = list.map((one) => one.parameter);
  const plot = Math.max(120, list.length * barHeight);
  const look = axisLook(frame.theme);
  const category = (gridIndex: number, labels: boolean) => ({
    ...look,
    type: "category" as const,
    gridIndex,
    data: names,
    inverse: true,
    axisLabel: { ...look.axisLabel, show: labels, width: narrow ? 110 : 180, overflow: "truncate" as const },
    axisTick: { show: false },
    splitLine: { show: false },
  });
  const bounds = { outerBoundsMode: "same" as const, outerBoundsContain: "all" as const };
  const labelled = { show: true, color: frame.theme.text, position: "right" as const };
  const describe = (mark: Mark): Description | undefined => {
    const one = list[mark.dataIndex];
    if (!one) return undefined;
    const lines: [string, string][] = [
      ["importance", `${formatShare(one.importance)} ± ${formatShare(one.standardDeviation)}`],
      ["rank correlation", correlationText(one.rankCorrelation)],
    ];
    return { title: one.parameter, lines };
  };
  const method = `Measured by ${data.answer.method || "the service"} on ${count(data.answer.trialCount, "trial")}.`;
  return {
    height: narrow ? 2 * plot + 140 : plot + 64,
    option: {
      ...baseOption(frame),
      grid: narrow
        ? [
            { left: 8, right: 64, top: 8, height: plot + 48, ...bounds },
            { left: 8, right: 24, top: plot + 80, height: plot + 48, ...bounds },
          ]
        : [
            { left: 8, width: "58%", top: 8, height: plot + 48, ...bounds },
            { left: "68%", right: 24, top: 8, height: plot + 48, ...bounds },
          ],
      xAxis: [
        {
          ...look,
          type: "value",
          gridIndex: 0,
          min: 0,
          name: "share of what the parameters explain",
          nameLocation: "middle",
          nameGap: 26,
          axisLabel: { ...look.axisLabel, formatter: (value: number) => formatShare(value) },
        },
        {
          ...look,
          type: "value",
          gridIndex: 1,
          min: -1,
          max: 1,
          name: "rank correlation",
          nameLocation: "middle",
          nameGap: 26,
        },
      ],
      yAxis: [category(0, true), category(1, narrow)],
      series: [
        {
          type: "bar",
          name: "importance",
          data: list.map((one) => one.importance),
          barMaxWidth: 20,
          itemStyle: { color: frame.theme.series[0] },
          emphasis: { itemStyle: { borderColor: frame.theme.text, borderWidth: 2 } },
        },
        {
          type: "custom",
          zlevel: 0,
          name: "error",
          data: list.map((one, place) => [
            Math.max(0, one.importance - one.standardDeviation),
            one.importance + one.standardDeviation,
            place,
          ]),
          encode: { x: [0, 1], y: 2 },
          renderItem: (params, api) => whisker(params, api, frame.theme.text),
          silent: true,
          tooltip: { show: false },
          z: 3,
        },
        {
          type: "bar",
          name: "rank correlation",
          xAxisIndex: 1,
          yAxisIndex: 1,
          data: list.map((one) => ({
            value: one.rankCorrelation ?? 0,
            itemStyle: {
              color: (one.rankCorrelation ?? 0) < 0 ? frame.theme.diverging[0] : frame.theme.diverging[2],
            },
            label: { ...labelled, show: one.rankCorrelation === undefined, formatter: "none" },
          })),
          barMaxWidth: 20,
          emphasis: { itemStyle: { borderColor: frame.theme.text, borderWidth: 2 } },
        },
      ],
    },
    marks: () => [0, 2].map((seriesIndex) => list.map((_, dataIndex) => ({ seriesIndex, dataIndex }))),
    describe,
    table: () => ({
      headers: ["parameter", "importance", "standard deviation", "rank correlation"],
      rows: list.map((one) => [
        one.parameter,
        formatShare(one.importance),
        formatShare(one.standardDeviation),
        correlationText(one.rankCorrelation),
      ]),
    }),
    notes: [
      method,
      `A positive rank correlation means: the larger the parameter, the larger ${data.metric}.`,
    ],
  };
}

function correlationText(value: number | undefined): string {
  return value === undefined ? "none: no number, or a single value" : formatNumber(value, 3);
}

function whisker(_: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI, stroke: string) {
  const [left = 0, y = 0] = api.coord([api.value(0), api.value(2)]);
  const [right = 0] = api.coord([api.value(1), api.value(2)]);
  const style = { stroke, lineWidth: 1.5 };
  const line = (x1: number, y1: number, x2: number, y2: number) => ({
    type: "line" as const,
    shape: { x1, y1, x2, y2 },
    style,
  });
  return {
    type: "group" as const,
    children: [line(left, y, right, y), line(left, y - 5, left, y + 5), line(right, y - 5, right, y + 5)],
  };
}
