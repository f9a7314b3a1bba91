/** What a chart's builder hands to the component that draws it. */
import type { EChartsOption } from "echarts";
import { formatNumber } from "../ui/format";
import { trialLook } from "../ui/statuses";
import type { ColumnData, TrialTable } from "./table";
import type { Theme } from "./theme";

/** Where a thing that can be pointed at is in the option. */
export interface Mark {
  seriesIndex: number;
  dataIndex: number;
}

/** What a tooltip, the cursor and a screen reader say of a mark. */
export interface Description {
  title: string;
  lines: [name: string, value: string][];
  /** The id of the trial that is behind it. */
  trial?: string;
}

/** The data that a picture shows, as a table. */
export interface DataTable {
  headers: string[];
  rows: string[][];
}

/** A chart, ready to be drawn. */
export interface Picture {
  option: EChartsOption;
  /** The marks that the arrow keys walk over: left and right in a group, up and down between groups. */
  marks: () => Mark[][];
  describe: (mark: Mark) => Description | undefined;
  table: () => DataTable;
  /** What a reader has to know about what is not shown, each a sentence. */
  notes: string[];
  /** The columns of the axes, when a rectangle drawn on the chart can become a filter. */
  area?: { x: ColumnData; y: ColumnData };
  /** Why there is nothing to draw. The option is empty then. */
  empty?: string;
  /** The height in pixels that it needs, when that depends on what it shows. */
  height?: number;
}

/** How much room there is, and how the page looks. */
export interface Frame {
  theme: Theme;
  /** In pixels. */
  width: number;
  /** Smaller, with fewer words, for a place on another page. */
  compact?: boolean;
}

/** A picture of nothing, with the reason. */
export function emptyPicture(reason: string, notes: string[] = []): Picture {
  return {
    option: {},
    marks: () => [],
    describe: () => undefined,
    table: () => ({ headers: [], rows: [] }),
    notes,
    empty: reason,
  };
}

/** What is said of the trial in a row of the table, with the values of the columns named. */
export function describeTrial(table: TrialTable, row: number, lines: [string, string][]): Description {
  return {
    title: `Trial ${table.numbers[row] ?? "?"}`,
    lines: [["status", trialLook(table.statuses[row] ?? 0).word], ...lines],
    trial: table.ids[row],
  };
}

/** A description in one sentence. */
export function sentenceOf(description: Description): string {
  const lines = description.lines.map(([name, value]) => (name ? `${name} ${value}` : value));
  return [description.title, ...lines].join(", ");
}

/** The note that says that the service sent fewer trials than there are; nothing when it sent all. */
export function thinnedNote(table: TrialTable): string[] {
  if (table.total <= table.ids.length) return [];
  const shown = formatNumber(table.ids.length);
  return [`${shown} of ${formatNumber(table.total)} trials are shown, evenly spaced and with the best one.`];
}
