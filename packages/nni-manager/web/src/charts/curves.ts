/** Intermediate results of many trials, one curve each. */

import { idOf } from "../api/page_facts";
import type { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import type { Curve } from "../generated/nni_proto/v1/trial_table_pb";
import { formatNumber } from "../ui/format";
import { trialLook } from "../ui/statuses";
import { hasPlace, leftAxis, lowerAxis, type ScaleChoice, scaleOf } from "./axes";
import { baseOption, legendAbove, plotGrid, zoomInside } from "./base";
import { count } from "./format";
import { type Description, emptyPicture, type Frame, type Mark, type Picture } from "./picture";
import { extent, roundedOut } from "./statistics";
import { statusPlace, statusShape } from "./statuses";
import { unknownInfo } from "./table";
import type { Theme } from "./theme";

/** What the picture of curves shows. */
export interface CurvesData {
  curves: Curve[];
  /** How many there are in all. */
  total: number;
  /** The entry of the results that is shown; "" for the result itself. */
  key: string;
  scale?: ScaleChoice;
  /** What curves have their colours by; by their statuses without it. */
  colored?: "status" | "trial";
}

interface Line {
  curve: Curve;
  points: [index: number, value: number][];
}

/** Returns the picture of the curves. A curve of a single point is a dot. */
export function curves(data: CurvesData, frame: Frame): Picture {
  const name = data.key || "intermediate result";
  const values = data.curves.flatMap((curve) => curve.values);
  const column = { info: unknownInfo(name), values };
  const scale = scaleOf(column, data.scale);
  const lines: Line[] = data.curves.map((curve) => ({
    curve,
    points: curve.indexes
      .map((index, place): [number, number] => [index, curve.values[place] ?? Number.NaN])
      .filter(([, value]) => hasPlace(value, scale)),
  }));
  const drawn = lines.filter((line) => line.points.length > 0);
  const notes = notesOf(
    data,
    drawn.length,
    values.length - drawn.reduce((sum, line) => sum + line.points.length, 0),
  );
  const xs = extent(drawn.flatMap((line) => line.points.map(([index]) => index)));
  const ys = extent(drawn.flatMap((line) => line.points.map(([, value]) => value)));
  if (!xs || !ys) {
    return emptyPicture(
      data.curves.length === 0
        ? "No trial that is asked for has intermediate results."
        : `No intermediate result has a number as ${name}.`,
      notes,
    );
  }
  const groups =
    data.colored === "trial" ? trialGroups(drawn, frame.theme) : statusGroups(drawn, frame.theme);
  const describe = (mark: Mark): Description | undefined => {
    // Each group has a series of lines and after it one of their ends, in the same order.
    const line = groups[Math.floor(mark.seriesIndex / 2)]?.lines[mark.dataIndex];
    return line && describeLine(line, name);
  };
  const [low, high] = scale === "logarithmic" ? ys : roundedOut(ys);
  const many = drawn.length > 30;
  return {
    option: {
      ...baseOption(frame),
      animation: false,
      grid: plotGrid(frame),
      legend: legendAbove(
        frame.theme,
        groups.map((group) => group.name),
      ),
      xAxis: {
        ...lowerAxis({ info: unknownInfo("index of the result"), values: [] }, "linear", frame.theme),
        min: xs[0],
        max: Math.max(xs[1], xs[0] + 1),
        minInterval: 1,
      } as Picture["option"]["xAxis"],
      yAxis: {
        ...leftAxis(column, scale, frame.theme),
        min: low,
        max: high,
      } as Picture["option"]["yAxis"],
      dataZoom: zoomInside(["x", "y"]),
      series: groups.flatMap((group) => {
        const { color } = group;
        return [
          {
            type: "lines" as const,
            name: group.name,
            coordinateSystem: "cartesian2d" as const,
            polyline: true,
            clip: true,
            data: group.lines.map((line) => ({
              coords: line.points.length > 1 ? line.points : [line.points[0], line.points[0]],
            })) as { coords: number[][] }[],
            lineStyle: { color, width: 1.5, opacity: many ? 0.45 : 0.8 },
            emphasis: { focus: "self" as const, lineStyle: { width: 3.5, opacity: 1 } },
            blur: { lineStyle: { opacity: 0.08 } },
          },
          {
            type: "scatter" as const,
            name: group.name,
            data: group.lines.map((line) => line.points.at(-1) as [number, number]),
            ...statusShape(group.status),
            symbolSize: many ? 5 : 8,
            itemStyle: { color },
            emphasis: { scale: 1.6, itemStyle: { borderColor: frame.theme.text, borderWidth: 2 } },
          },
        ];
      }),
    },
    marks: () =>
      groups.map((group, place) =>
        group.lines.map((_, dataIndex) => ({ seriesIndex: place * 2, dataIndex })),
      ),
    describe,
    table: () => ({
      headers: ["trial", "status", "results", `first ${name}`, `last ${name}`, "lowest", "highest"],
      rows: drawn.map(({ curve, points }) => {
        const range = extent(points.map(([, value]) => value)) ?? [Number.NaN, Number.NaN];
        return [
          String(curve.sequenceNumber),
          trialLook(curve.status).word,
          String(curve.pointCount),
          formatNumber(points[0]?.[1] ?? Number.NaN),
          formatNumber(points.at(-1)?.[1] ?? Number.NaN),
          formatNumber(range[0]),
          formatNumber(range[1]),
        ];
      }),
    }),
    notes,
  };
}

function notesOf(data: CurvesData, drawn: number, left: number): string[] {
  const notes: string[] = [];
  if (data.total > data.curves.length) {
    notes.push(`${formatNumber(data.curves.length)} of ${count(data.total, "curve")} are shown.`);
  }
  if (data.curves.length > drawn) {
    notes.push(`${count(data.curves.length - drawn, "trial has", "trials have")} no number to show here.`);
  }
  if (left > 0) notes.push(`Results without a place on the axis are left out: ${left}.`);
  if (data.curves.some((curve) => curve.pointCount > curve.indexes.length)) {
    notes.push("Long curves are thinned out; their lowest and highest results are kept.");
  }
  return notes;
}

/** Curves that look the same. */
interface Group {
  status: Trial_Status;
  name: string;
  color: string;
  lines: Line[];
}

function trialGroups(lines: Line[], theme: Theme): Group[] {
  return lines.map((line, place) => ({
    status: line.curve.status,
    name: `Trial ${line.curve.sequenceNumber}`,
    color: theme.series[place % theme.series.length] ?? theme.muted,
    lines: [line],
  }));
}

function statusGroups(lines: Line[], theme: Theme): Group[] {
  const statuses = [...new Set(lines.map((line) => line.curve.status))].sort(
    (one, other) => statusPlace(one) - statusPlace(other),
  );
  return statuses.map((status) => ({
    status,
    name: trialLook(status).word,
    color: theme.statuses[status] ?? theme.muted,
    lines: lines.filter((line) => line.curve.status === status),
  }));
}

function describeLine({ curve, points }: Line, name: string): Description {
  const [index, value] = points.at(-1) ?? [0, Number.NaN];
  const range = extent(points.map((point) => point[1])) ?? [Number.NaN, Number.NaN];
  return {
    title: `Trial ${curve.sequenceNumber}`,
    lines: [
      ["status", trialLook(curve.status).word],
      [`last ${name}`, `${formatNumber(value)} (index ${index})`],
      ["lowest", formatNumber(range[0])],
      ["highest", formatNumber(range[1])],
      ["results", String(curve.pointCount)],
    ],
    trial: idOf(curve.trial),
  };
}
