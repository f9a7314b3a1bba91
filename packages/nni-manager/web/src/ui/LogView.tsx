import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { problemText } from "../api/client";
import { readWhole, useFileTail } from "../api/file_tail";
import { idOf } from "../api/page_facts";
import { ansiPieces } from "./ansi";
import { Button } from "./Button";
import { saveAs } from "./clipboard";
import { linesWith, stretches } from "./find";
import { formatBytes } from "./format";
import { toast } from "./Toast";
import { counted, visible } from "./text";
import { useVirtualRows } from "./useVirtualRows";
import "./log.css";

const LINE_HEIGHT = 18;
const AT_END_PIXELS = 30;

/** A log file: its end, followed while it grows, with search and download. */
export function LogView({ parent, path }: { parent: string; path: string }) {
  const tail = useFileTail(parent, path);
  const [search, setSearch] = useState("");
  const [current, setCurrent] = useState(0);
  const [onlyFound, setOnlyFound] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const [wrap, setWrap] = useState(true);
  const [atEnd, setAtEnd] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);
  const whole = tail.lines.at(-1) === "" ? tail.lines.length - 1 : tail.lines.length;
  const { lines, found } = useMemo(() => {
    const all = tail.lines.slice(0, whole);
    const places = linesWith(all, search);
    if (!onlyFound || search.trim() === "") return { lines: all, found: places };
    return { lines: places.map((at) => all[at] ?? ""), found: places.map((_, at) => at) };
  }, [tail.lines, search, onlyFound]);
  const place = Math.min(current, found.length - 1);
  const rows = useVirtualRows(scroller, lines.length, LINE_HEIGHT);
  useEffect(() => {
    if (atEnd && lines.length > 0) rows.scrollTo(lines.length - 1);
  }, [lines, atEnd]);

  function goTo(next: number): void {
    if (found.length === 0) return;
    const wrapped = (next + found.length) % found.length;
    setAtEnd(false);
    setCurrent(wrapped);
    rows.scrollTo(found[wrapped] ?? 0);
  }
  useEffect(() => {
    if (search.trim() !== "") goTo(0);
  }, [search, onlyFound]);

  function searchKey(event: KeyboardEvent): void {
    if (event.key === "Enter") goTo(place + (event.shiftKey ? -1 : 1));
    else if (event.key === "Escape" && search !== "") setSearch("");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function logKey(event: KeyboardEvent): void {
    if (event.key.toLowerCase() !== "f" || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    // What the browser would find is only what can be seen of the log.
    event.preventDefault();
    field.current?.focus();
    field.current?.select();
  }

  async function download(): Promise<void> {
    try {
      const pieces = await readWhole(parent, path);
      saveAs(`${idOf(parent)}-${path.replaceAll("/", "-")}`, new Blob(pieces), "application/octet-stream");
    } catch (error) {
      toast(`${path} cannot be downloaded: ${problemText(error)}`, "failed");
    }
  }

  const searching = search.trim() !== "";
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut for what is in it
    <div class="log" onKeyDown={logKey}>
      <div class="log-tools">
        <input
          ref={field}
          type="search"
          aria-label={`Search in ${path}`}
          placeholder="Search"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={searchKey}
        />
        {searching && (
          <>
            <Button kind="quiet" icon="up" label="Previous (Shift+Enter)" onClick={() => goTo(place - 1)} />
            <Button kind="quiet" icon="down" label="Next (Enter)" onClick={() => goTo(place + 1)} />
            <label>
              <input type="checkbox" checked={onlyFound} onChange={() => setOnlyFound(!onlyFound)} /> Only
              these lines
            </label>
          </>
        )}
        <label>
          <input type="checkbox" checked={wrap} onChange={() => setWrap(!wrap)} /> Wrap
        </label>
        <label>
          <input type="checkbox" checked={atEnd} onChange={() => setAtEnd(!atEnd)} /> Stay at the end
        </label>
        <Button icon="download" onClick={download} disabled={tail.size === 0}>
          Download
        </Button>
        <span class="quiet" aria-live="polite">
          {searching
            ? `${found.length === 0 ? "" : `${place + 1} of `}${counted(found.length, "line")} found`
            : `${formatBytes(tail.size)}${tail.cut ? ", the end is shown" : ""}`}
        </span>
      </div>
      {tail.problem !== undefined && <p class="problem">{visible(tail.problem)}</p>}
      <div
        class={wrap ? "log-lines wrap" : "log-lines"}
        ref={scroller}
        role="log"
        aria-live="off"
        aria-label={path}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
        tabIndex={0}
        onWheel={(event) => {
          const { currentTarget: box } = event;
          const below = box.scrollHeight - box.scrollTop - box.clientHeight;
          if (event.deltaY < 0) setAtEnd(false);
          else if (below < AT_END_PIXELS) setAtEnd(true);
        }}
      >
        <div class="log-body" style={{ height: `${rows.totalSize}px` }}>
          {rows.items.map((item) => (
            <div
              key={item.key}
              class={`log-line${item.index === found[place] ? " found" : ""}`}
              data-index={item.index}
              ref={rows.measure}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Line text={lines[item.index] ?? ""} search={search} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function Line({ text, search }: { text: string; search: string }) {
  if (text === "") return <>{"\u200b"}</>;
  return (
    <>
      {ansiPieces(text).map((piece, at) => (
        <span key={at} class={piece.class || undefined}>
          {stretches(visible(piece.text), search).map((part, place) =>
            part.found ? <mark key={place}>{part.text}</mark> : part.text,
          )}
        </span>
      ))}
    </>
  );
}
