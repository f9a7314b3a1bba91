import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { problemText } from "../api/client";
import { readWhole, useFileTail } from "../api/file_tail";
import { idOf } from "../api/page_facts";
import { ansiPieces } from "./ansi";
import { Button } from "./Button";
import { saveAs } from "./clipboard";
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
  const [wrap, setWrap] = useState(true);
  const [atEnd, setAtEnd] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => matching(tail.lines, search), [tail.lines, search]);
  const rows = useVirtualRows(scroller, lines.length, LINE_HEIGHT);
  useEffect(() => {
    if (atEnd && lines.length > 0) rows.scrollTo(lines.length - 1);
  }, [lines, atEnd]);

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
    <div class="log">
      <div class="log-tools">
        <input
          type="search"
          aria-label={`Search in ${path}`}
          placeholder="Search"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
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
            ? `${counted(lines.length, "line")} of ${tail.lines.length.toLocaleString("en")}`
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
              class="log-line"
              data-index={item.index}
              ref={rows.measure}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Line text={lines[item.index] ?? ""} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function Line({ text }: { text: string }) {
  if (text === "") return <>{"\u200b"}</>;
  return (
    <>
      {ansiPieces(text).map((piece, at) => (
        <span key={at} class={piece.class || undefined}>
          {visible(piece.text)}
        </span>
      ))}
    </>
  );
}

function matching(lines: readonly string[], search: string): readonly string[] {
  const wanted = search.trim().toLowerCase();
  const all = lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  return wanted === "" ? all : all.filter((line) => line.toLowerCase().includes(wanted));
}
