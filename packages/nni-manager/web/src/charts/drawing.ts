/** A chart on the screen: the chart library's object, with what a reader did to it kept over redraws. */

import type { ECharts, EChartsOption } from "echarts";
import type { Description, Mark, Picture } from "./picture";
import type { Theme } from "./theme";
import { tooltipOption } from "./tooltip";
import type { Zoom } from "./zoom";

/** Stretches of a parallel axis, by the number of the axis. */
export type Intervals = Record<number, [low: number, high: number][]>;

/** What a drawing tells. */
export interface Listener {
  /** A mark was pressed; undefined when what was pressed says nothing. */
  onPress: (mark: Mark, description: Description | undefined) => void;
  /** A trial was pressed twice. */
  onOpen: (trial: string) => void;
  /** A rectangle was drawn; undefined when it was removed. */
  onArea: (area: [x: [number, number], y: [number, number]] | undefined) => void;
  /** The stretches of the parallel axes changed. */
  onIntervals: (intervals: Intervals) => void;
}

interface ZoomEvent {
  dataZoomId?: string;
  start?: number;
  end?: number;
  batch?: ZoomEvent[];
}

/** How long a picture waits at most, in milliseconds. */
const READING_MS = 10_000;

/** Draws pictures into an element. */
export class Drawing {
  private picture: Picture | undefined;
  private zoom: Zoom = {};
  private hidden: Record<string, boolean> = {};
  private intervals: Intervals = {};
  private marked: Mark | undefined;
  private over = false;
  /** When the pointer came to the mark that it is at. */
  private pointedAt: number | undefined;
  private waiting: (() => void) | undefined;
  private readonly ring = document.createElement("div");

  /**
   * @param chart The chart library's object for the element.
   * @param listener Gets what a reader does.
   */
  constructor(
    private readonly chart: ECharts,
    listener: () => Listener,
  ) {
    this.ring.className = "chart-cursor";
    chart.on("click", (event) => {
      const mark = markOf(event);
      listener().onPress(mark, this.picture?.describe(mark));
    });
    chart.on("dblclick", (event) => {
      const trial = this.picture?.describe(markOf(event))?.trial;
      if (trial !== undefined) listener().onOpen(trial);
    });
    chart.on("mouseover", () => {
      this.pointedAt = performance.now();
    });
    chart.on("mouseout", () => this.drawLater());
    chart.on("globalout", () => this.drawLater());
    chart.on("datazoom", (event) => this.keepZoom(event as ZoomEvent));
    chart.on("legendselectchanged", (event) => {
      this.hidden = (event as { selected: Record<string, boolean> }).selected;
    });
    chart.on("brushEnd", (event) => {
      const [area] = (event as { areas: { coordRange?: unknown }[] }).areas;
      listener().onArea(area?.coordRange as [[number, number], [number, number]] | undefined);
    });
    chart.on("axisareaselected", (event) => {
      const { parallelAxisId, intervals } = event as {
        parallelAxisId?: string;
        intervals?: [number, number][];
      };
      const axis = Number(parallelAxisId?.replace("axis-", ""));
      if (Number.isNaN(axis) || intervals === undefined) return;
      this.intervals = { ...this.intervals, [axis]: intervals };
      listener().onIntervals(this.intervals);
    });
  }

  /** Forgets what a reader did: another question is shown from now on. */
  forget(): void {
    this.zoom = {};
    this.hidden = {};
    this.intervals = {};
    this.marked = undefined;
    this.pointedAt = undefined;
  }

  /**
   * Draws a picture as large as the element is now. While somebody reads what is said of a mark, a picture of
   * the same question waits, so that it does not vanish with each new result.
   */
  draw(picture: Picture, theme: Theme): void {
    if (this.over) return;
    if (this.pointedAt !== undefined && performance.now() - this.pointedAt < READING_MS) {
      this.waiting = () => this.draw(picture, theme);
      return;
    }
    this.pointedAt = undefined;
    this.waiting = undefined;
    this.picture = picture;
    const option = this.optionOf(picture);
    this.chart.resize({ silent: true });
    this.chart.setOption(
      {
        ...option,
        tooltip: tooltipOption(() => this.picture ?? picture, theme),
        ...(picture.area ? { brush: brushOption(theme) } : {}),
      },
      { notMerge: true },
    );
    for (const [axis, stretches] of Object.entries(this.intervals))
      this.setIntervals(Number(axis), stretches);
    if (this.marked) this.point(this.marked);
  }

  /** Returns the option of a picture with the zoom and the hidden entries that the reader chose. */
  optionOf(picture: Picture): EChartsOption {
    const { option } = picture;
    const zooms = [option.dataZoom ?? []].flat();
    return {
      ...option,
      ...(zooms.length > 0
        ? {
            dataZoom: zooms.map((one) => ({
              ...one,
              ...this.zoom[String(one.id)],
            })) as EChartsOption["dataZoom"],
          }
        : {}),
      ...(option.legend
        ? { legend: { ...option.legend, selected: this.hidden } as EChartsOption["legend"] }
        : {}),
    };
  }

  /** Returns the ids of what can be zoomed. */
  get zoomIds(): string[] {
    return [this.picture?.option.dataZoom ?? []].flat().map((one) => String(one.id));
  }

  /** Shows another part of the axes. */
  change(change: (zoom: Zoom, ids: readonly string[]) => Zoom): void {
    if (this.over) return;
    this.zoom = change(this.zoom, this.zoomIds);
    const batch = Object.entries(this.zoom).map(([dataZoomId, part]) => ({ dataZoomId, ...part }));
    if (batch.length > 0) this.chart.dispatchAction({ type: "dataZoom", batch });
  }

  /** Points at a mark, and at nothing for undefined. */
  point(mark: Mark | undefined): void {
    if (this.over) return;
    if (this.marked) this.chart.dispatchAction({ type: "downplay", ...this.marked });
    this.marked = mark;
    this.ring.remove();
    if (mark) {
      this.ringAt(mark);
      this.chart.dispatchAction({ type: "highlight", ...mark });
      // The chart library does not find the place of a line between parallel axes.
      if (!this.picture?.option.parallel) this.chart.dispatchAction({ type: "showTip", ...mark });
    } else {
      this.chart.dispatchAction({ type: "hideTip" });
    }
  }

  /** Takes the pointer for drawing rectangles, or gives it back; that removes the rectangle. */
  selectArea(wanted: boolean): void {
    if (this.over) return;
    this.chart.dispatchAction({
      type: "takeGlobalCursor",
      key: "brush",
      brushOption: wanted ? { brushType: "rect", brushMode: "single" } : { brushType: false },
    });
    if (!wanted) this.chart.dispatchAction({ type: "brush", areas: [] });
  }

  /** Chooses stretches of a parallel axis. */
  setIntervals(axis: number, stretches: [number, number][]): void {
    if (this.over) return;
    const { min, max } = this.axisRange(axis);
    const intervals = stretches
      .map(([low, high]): [number, number] => [Math.max(low, min), Math.min(high, max)])
      .filter(([low, high]) => low <= high);
    this.intervals = { ...this.intervals, [axis]: intervals };
    this.chart.dispatchAction({ type: "axisAreaSelect", parallelAxisId: `axis-${axis}`, intervals });
  }

  /** Returns the chart as a canvas with `ratio` pixels for each of the screen's. */
  canvas(ratio: number, background: string): HTMLCanvasElement {
    return this.chart.renderToCanvas({ pixelRatio: ratio, backgroundColor: background });
  }

  /** Removes the chart. */
  end(): void {
    this.over = true;
    this.chart.dispose();
  }

  /** Points that are drawn in one go cannot be highlighted one by one: a ring lies over the canvas instead. */
  private ringAt({ seriesIndex, dataIndex }: Mark): void {
    const series = [this.picture?.option.series ?? []].flat()[seriesIndex];
    if (series?.type !== "scatter" || !series.large) return;
    const point = (series.data as number[][] | undefined)?.[dataIndex];
    if (point === undefined) return;
    const [left = 0, top = 0] = this.chart.convertToPixel({ seriesIndex }, point);
    this.ring.style.left = `${left}px`;
    this.ring.style.top = `${top}px`;
    this.chart.getDom().append(this.ring);
  }

  private drawLater(): void {
    this.pointedAt = undefined;
    this.waiting?.();
  }

  private axisRange(axis: number): { min: number; max: number } {
    const option = [this.picture?.option.parallelAxis ?? []].flat()[axis] as
      | { min?: number; max?: number }
      | undefined;
    return { min: option?.min ?? Number.NEGATIVE_INFINITY, max: option?.max ?? Number.POSITIVE_INFINITY };
  }

  private keepZoom(event: ZoomEvent): void {
    for (const one of event.batch ?? [event]) {
      if (one.dataZoomId === undefined || one.start === undefined || one.end === undefined) continue;
      this.zoom = { ...this.zoom, [one.dataZoomId]: { start: one.start, end: one.end } };
    }
  }
}

function markOf(event: { seriesIndex?: number; dataIndex?: number }): Mark {
  return { seriesIndex: event.seriesIndex ?? -1, dataIndex: event.dataIndex ?? -1 };
}

function brushOption(theme: Theme): EChartsOption["brush"] {
  return {
    toolbox: [],
    xAxisIndex: 0,
    yAxisIndex: 0,
    brushMode: "single",
    transformable: false,
    brushStyle: { borderWidth: 1, color: `${theme.accent}33`, borderColor: theme.accent },
    outOfBrush: { colorAlpha: 0.25 },
    throttleType: "debounce",
    throttleDelay: 100,
  };
}
