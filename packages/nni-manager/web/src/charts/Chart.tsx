import "./chart.css";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { NotFetched, usePart } from "../app/later";
import { isDark } from "../app/theme";
import { Button } from "../ui/Button";
import { ChartTable } from "./ChartTable";
import { ChartTools } from "./ChartTools";
import { type Cursor, cursorAt, moved } from "./cursor";
import { Drawing, type Intervals } from "./drawing";
import { type Description, type Frame, type Mark, type Picture, sentenceOf } from "./picture";
import { filterOf } from "./selection";
import { readTheme, type Theme } from "./theme";
import { scaled, shifted, whole } from "./zoom";

/** What a chart is made of. */
export interface ChartProps {
  /** What it shows; its name for screen readers and on saved pictures. */
  title: string;
  /** Makes the picture. Another function draws the chart again. */
  build: (frame: Frame) => Picture;
  /** Names the question: with another one, the zoom and the cursor begin again. */
  question: string;
  /** Goes to a trial, named by its id. */
  onTrial?: (trial: string) => void;
  /** Gets the filter that holds for a rectangle that was drawn. */
  onArea?: (filter: string) => void;
  /** Gets the stretches of parallel axes that were drawn. */
  onIntervals?: (intervals: Intervals) => void;
  /** Stretches to show on parallel axes, when they were not drawn but written. */
  intervals?: Intervals;
  /** Without tools and notes, for a place on another page. */
  compact?: boolean;
}

/** A chart with its tools, its notes and a cursor for the keyboard. */
export function Chart(props: ChartProps) {
  const { title, build, question, compact = false } = props;
  const area = useRef<HTMLDivElement>(null);
  const [drawing, setDrawing] = useState<Drawing>();
  const [width, setWidth] = useState(0);
  const [asTable, setAsTable] = useState(false);
  const [selecting, setSelecting] = useState(false);
  const [told, setTold] = useState<Description>();
  const cursor = useRef<Cursor>();
  const theme = useTheme();
  const picture = useMemo(
    () => (width > 0 ? build({ theme, width, compact }) : undefined),
    [build, theme, width, compact],
  );
  const height = picture?.height ?? usualHeight(compact);
  const drawn = picture !== undefined && picture.empty === undefined && !asTable;

  const latest = useRef({ props, picture });
  latest.current = { props, picture };
  function say(mark: Mark | undefined): void {
    setTold(mark && latest.current.picture?.describe(mark));
  }
  function open(mark: Mark): void {
    const trial = latest.current.picture?.describe(mark)?.trial;
    if (trial !== undefined) latest.current.props.onTrial?.(trial);
  }

  useEffect(() => {
    const element = area.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.round(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const canvas = useRef<HTMLDivElement>(null);
  const engine = usePart(loadEngine, drawn);
  useEffect(() => {
    const element = canvas.current;
    if (!drawn || element === null || engine.part === undefined) return;
    const made = new Drawing(engine.part.init(element), () => ({
      onPress: (mark, description) => {
        cursor.current = cursorAt(latest.current.picture?.marks() ?? [], mark);
        setTold(description);
      },
      onOpen: (trial) => latest.current.props.onTrial?.(trial),
      onArea: (ranges) => latest.current.props.onArea?.(areaFilter(latest.current.picture, ranges)),
      onIntervals: (intervals) => latest.current.props.onIntervals?.(intervals),
    }));
    setDrawing(made);
    return () => {
      made.end();
      setDrawing(undefined);
    };
  }, [drawn, engine.part]);

  useEffect(() => {
    drawing?.forget();
    cursor.current = undefined;
    setTold(undefined);
    setSelecting(false);
  }, [drawing, question]);
  useEffect(() => {
    if (picture && picture.empty === undefined) drawing?.draw(picture, theme);
  }, [drawing, picture, theme, height]);
  useEffect(() => drawing?.selectArea(selecting), [drawing, selecting]);
  useEffect(() => {
    for (const [axis, stretches] of Object.entries(props.intervals ?? {})) {
      drawing?.setIntervals(Number(axis), stretches);
    }
  }, [drawing, props.intervals]);

  function move(event: KeyboardEvent): void {
    if (!picture || !drawing || event.altKey || event.ctrlKey || event.metaKey) return;
    const groups = picture.marks();
    const change = event.shiftKey ? shifts[event.key] : zooms[event.key];
    if (change) drawing.change(change);
    else if (event.key === "Enter") {
      const mark = cursor.current && groups[cursor.current.group]?.[cursor.current.place];
      if (mark) open(mark);
    } else if (event.key === "Escape") {
      cursor.current = undefined;
      drawing.point(undefined);
      say(undefined);
    } else {
      const next = moved(groups, cursor.current, event.key);
      if (next === undefined) return;
      cursor.current = next;
      const mark = groups[next.group]?.[next.place];
      drawing.point(mark);
      say(mark);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <figure class={`chart${compact ? " compact" : ""}`} aria-label={title}>
      {!compact && picture && picture.empty === undefined && (
        <ChartTools
          title={title}
          picture={picture}
          drawing={drawing}
          theme={theme}
          asTable={asTable}
          onTable={() => setAsTable(!asTable)}
          selecting={selecting}
          onSelecting={props.onArea && picture.area ? () => setSelecting(!selecting) : undefined}
        />
      )}
      <div ref={area} class="chart-room">
        {picture?.empty !== undefined && <p class="chart-empty">{picture.empty}</p>}
        {engine.failed && <NotFetched onAgain={engine.again} />}
        {drawn && (
          <div
            ref={canvas}
            class="chart-canvas"
            style={{ height: `${height}px` }}
            role="application"
            aria-roledescription="chart"
            aria-label={`${title}. Arrow keys move over the data, Enter opens a trial, plus and minus zoom.`}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move a cursor in it
            tabIndex={0}
            onKeyDown={move}
            onBlur={() => drawing?.point(undefined)}
          />
        )}
        {asTable && picture && <ChartTable title={title} data={picture.table()} />}
      </div>
      {drawn && (
        <div class="chart-told">
          <span aria-live="polite">{told && sentenceOf(told)}</span>
          {told?.trial !== undefined && props.onTrial && (
            <Button kind="quiet" icon="right" onClick={() => told.trial && props.onTrial?.(told.trial)}>
              Open {told.title.toLowerCase()}
            </Button>
          )}
        </div>
      )}
      {!compact && picture !== undefined && picture.notes.length > 0 && (
        <figcaption>
          <ul class="chart-notes">
            {picture.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </figcaption>
      )}
    </figure>
  );
}

const loadEngine = () => import("./engine");

const zooms: Record<string, Parameters<Drawing["change"]>[0]> = {
  "+": (zoom, ids) => scaled(zoom, ids, 0.7),
  "=": (zoom, ids) => scaled(zoom, ids, 0.7),
  "-": (zoom, ids) => scaled(zoom, ids, 1 / 0.7),
  "0": (_, ids) => whole(ids),
};

const shifts: Record<string, Parameters<Drawing["change"]>[0]> = {
  "+": (zoom, ids) => scaled(zoom, ids, 0.7),
  ArrowRight: (zoom, ids) =>
    shifted(
      zoom,
      ids.filter((id) => id.endsWith("x")),
      0.2,
    ),
  ArrowLeft: (zoom, ids) =>
    shifted(
      zoom,
      ids.filter((id) => id.endsWith("x")),
      -0.2,
    ),
  ArrowUp: (zoom, ids) =>
    shifted(
      zoom,
      ids.filter((id) => id.endsWith("y")),
      0.2,
    ),
  ArrowDown: (zoom, ids) =>
    shifted(
      zoom,
      ids.filter((id) => id.endsWith("y")),
      -0.2,
    ),
};

function usualHeight(compact: boolean): number {
  if (compact) return 240;
  return Math.round(Math.min(620, Math.max(340, window.innerHeight - 340)));
}

function areaFilter(picture: Picture | undefined, ranges: [[number, number], [number, number]] | undefined) {
  if (picture?.area === undefined || ranges === undefined) return "";
  const { x, y } = picture.area;
  return filterOf([
    { column: x, ranges: [ranges[0]] },
    { column: y, ranges: [ranges[1]] },
  ]);
}

/** Returns how the page looks, and draws again when that changes. */
function useTheme(): Theme {
  const dark = isDark.value;
  const [theme, setTheme] = useState(() => readTheme(dark));
  useEffect(() => {
    const look = () => setTheme(readTheme(dark));
    look();
    const wish = window.matchMedia("(prefers-reduced-motion: reduce)");
    wish.addEventListener("change", look);
    return () => wish.removeEventListener("change", look);
  }, [dark]);
  return theme;
}
