/** When each trial waited and ran, slot by slot. */

import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemParams } from "echarts";
import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";
import { formatDuration, formatNumber, formatTime } from "../ui/format";
import { trialLook } from "../ui/statuses";
import { axisLook } from "./axes";
import { baseOption, legendAbove } from "./base";
import { describeTrial, emptyPicture, type Frame, type Mark, type Picture, thinnedNote } from "./picture";
import { median } from "./statistics";
import { columnOf, type TrialTable } from "./table";
import type { Theme } from "./theme";

/** What the timeline shows. */
export interface TimelineData {
  table: TrialTable;
  /** The time now, in seconds since 1970: where bars of running trials end. */
  now: number;
}

/** A trial's bar. */
export interface Bar {
  row: number;
  host: string;
  /** Which of its host's slots. */
  slot: number;
  created: number;
  start: number;
  end: number;
}

/** Returns the trials that have started, each in the first slot of its host that is free then. */
export function bars(table: TrialTable, now: number): Bar[] {
  const column = (name: string) => columnOf(table, name);
  const [created, started, ended, hosts] = [
    column("created"),
    column("started"),
    column("ended"),
    column("host"),
  ];
  const rows = table.ids
    .map((_, row) => row)
    .filter((row) => Number.isFinite(started.values[row]))
    .sort((one, other) => (started.values[one] ?? 0) - (started.values[other] ?? 0));
  const freeAt = new Map<string, number[]>();
  return rows.map((row) => {
    const start = started.values[row] ?? 0;
    const told = ended.values[row] ?? Number.NaN;
    const end = Math.max(start, Number.isFinite(told) ? told : now);
    const host = hosts.categories?.[hosts.values[row] ?? -1] ?? "";
    const slots = freeAt.get(host) ?? [];
    freeAt.set(host, slots);
    const free = slots.findIndex((time) => time <= start);
    const slot = free < 0 ? slots.length : free;
    slots[slot] = end;
    const before = created.values[row] ?? Number.NaN;
    return {
      row,
      host,
      slot,
      created: Number.isFinite(before) ? Math.min(before, start) : start,
      start,
      end,
    };
  });
}

/** Returns the timeline. */
export function timeline(data: TimelineData, frame: Frame): Picture {
  const { table } = data;
  const list = bars(table, data.now);
  const notes = thinnedNote(table);
  if (table.total > table.ids.length)
    notes.push("Slots are worked out from the trials shown, so gaps may not be idle.");
  if (list.length === 0) return emptyPicture("No trial has started yet.", notes);
  const waits = median(list.map((bar) => bar.start - bar.created));
  notes.push(`Half of the trials waited longer than ${formatDuration(waits)} before they started.`);
  const waiting = table.ids.length - list.length;
  if (waiting > 0) notes.push(`Trials that have not started have no bar: ${waiting}.`);
  const laneName = (bar: Bar) => (bar.host ? `${bar.host} · ${bar.slot + 1}` : `slot ${bar.slot + 1}`);
  const lanes = [...new Set(list.map(laneName))].sort((one, other) =>
    one.localeCompare(other, undefined, { numeric: true }),
  );
  const laneOf = new Map(lanes.map((lane, place) => [lane, place]));
  const statuses = [...new Set(list.map((bar) => table.statuses[bar.row] ?? 0))].sort(
    (one, other) => other - one,
  );
  const look = axisLook(frame.theme);
  const series = statuses.map((status) => list.filter((bar) => (table.statuses[bar.row] ?? 0) === status));
  const begin = Math.min(...list.map((bar) => bar.start).slice(0, 1));
  const finish = list.reduce((latest, bar) => Math.max(latest, bar.end), begin);
  const objective = table.columns.get("objective");
  const describe = (mark: Mark) => {
    const bar = series[mark.seriesIndex]?.[mark.dataIndex];
    if (!bar) return undefined;
    const lines: [string, string][] = [
      ["where", laneName(bar)],
      ["started", formatTime(bar.start)],
      ["ran", formatDuration(bar.end - bar.start)],
      ["waited before", formatDuration(bar.start - bar.created)],
    ];
    const value = objective?.values[bar.row];
    if (value !== undefined && !Number.isNaN(value)) lines.push(["objective", formatNumber(value)]);
    return describeTrial(table, bar.row, lines);
  };
  return {
    height: Math.max(260, lanes.length * (lanes.length > 40 ? 14 : 28) + 110),
    option: {
      ...baseOption(frame),
      animation: false,
      grid: { left: 8, right: 24, top: 40, bottom: 12, outerBoundsMode: "same", outerBoundsContain: "all" },
      legend: {
        ...legendAbove(
          frame.theme,
          statuses.map((status) => trialLook(status).word),
        ),
        icon: "roundRect",
      },
      xAxis: {
        ...look,
        type: "time",
        min: begin * 1000,
        max: Math.max(finish, begin + 1) * 1000,
        splitLine: { show: true, lineStyle: { color: frame.theme.line } },
      } as Picture["option"]["xAxis"],
      yAxis: {
        ...look,
        type: "category",
        data: lanes,
        inverse: true,
        splitLine: { show: false },
        axisLabel: { ...look.axisLabel, width: frame.width < 560 ? 80 : 160, overflow: "truncate" },
      } as Picture["option"]["yAxis"],
      dataZoom: [{ type: "inside", id: "zoom-x", xAxisIndex: 0, filterMode: "weakFilter" }],
      series: statuses.map((status, place) => ({
        type: "custom" as const,
        zlevel: 0,
        name: trialLook(status).word,
        data: (series[place] ?? []).map((bar) => [
          bar.start * 1000,
          bar.end * 1000,
          laneOf.get(laneName(bar)) ?? 0,
        ]),
        encode: { x: [0, 1], y: 2 },
        clip: true,
        itemStyle: { color: frame.theme.statuses[status] ?? frame.theme.muted },
        renderItem: (params: CustomSeriesRenderItemParams, api: CustomSeriesRenderItemAPI) =>
          drawBar(
            params,
            api,
            frame.theme,
            status,
            String(table.numbers[(series[place] ?? [])[params.dataIndex]?.row ?? 0]),
          ),
      })),
    },
    marks: () => {
      const groups = lanes.map((): { start: number; mark: Mark }[] => []);
      series.forEach((one, seriesIndex) => {
        one.forEach((bar, dataIndex) => {
          groups[laneOf.get(laneName(bar)) ?? 0]?.push({
            start: bar.start,
            mark: { seriesIndex, dataIndex },
          });
        });
      });
      return groups.map((group) => group.sort((a, b) => a.start - b.start).map(({ mark }) => mark));
    },
    describe,
    table: () => ({
      headers: ["trial", "status", "where", "started", "ran", "waited before"],
      rows: list.map((bar) => [
        String(table.numbers[bar.row]),
        trialLook(table.statuses[bar.row] ?? 0).word,
        laneName(bar),
        formatTime(bar.start),
        formatDuration(bar.end - bar.start),
        formatDuration(bar.start - bar.created),
      ]),
    }),
    notes: [busyNote(list, lanes.length, begin, finish), ...notes],
  };
}

/** Returns how much of the slots' time was used. */
function busyNote(list: readonly Bar[], lanes: number, begin: number, finish: number): string {
  const busy = list.reduce((sum, bar) => sum + bar.end - bar.start, 0);
  const whole = (finish - begin) * lanes;
  const share = whole > 0 ? Math.round((100 * busy) / whole) : 100;
  return `Slots are numbered by the page: each trial takes the first free one of its machine. They were busy ${share} % of the time.`;
}

/** How high a bar is, as a share of the usual: what did not succeed is told apart by more than its colour. */
const HEIGHTS: Partial<Record<Trial_Status, number>> = {
  [Trial_Status.SUCCEEDED]: 1,
  [Trial_Status.RUNNING]: 1,
  [Trial_Status.EARLY_STOPPED]: 0.75,
  [Trial_Status.FAILED]: 0.5,
};
const OTHER_HEIGHT = 0.6;

function drawBar(
  _: CustomSeriesRenderItemParams,
  api: CustomSeriesRenderItemAPI,
  theme: Theme,
  status: Trial_Status,
  label: string,
) {
  const [left = 0, middle = 0] = api.coord([api.value(0), api.value(2)]);
  const [right = 0] = api.coord([api.value(1), api.value(2)]);
  const band = (api.size?.([0, 1]) as number[] | undefined)?.[1] ?? 20;
  const height = Math.min(22, band * 0.8) * (HEIGHTS[status] ?? OTHER_HEIGHT);
  const width = Math.max(1, right - left);
  const roomy = width > 9 * label.length + 6 && height > 12;
  return {
    type: "rect" as const,
    shape: { x: left, y: middle - height / 2, width, height, r: 2 },
    style: {
      fill: theme.statuses[status] ?? theme.muted,
      stroke: theme.background,
      lineWidth: width > 4 ? 1 : 0,
    },
    emphasis: { style: { stroke: theme.text, lineWidth: 2.5 } },
    ...(roomy
      ? {
          textContent: {
            type: "text" as const,
            style: { text: label, fill: theme.background, fontFamily: theme.font, fontSize: 11 },
          },
          textConfig: { position: "inside" as const },
        }
      : {}),
  };
}
