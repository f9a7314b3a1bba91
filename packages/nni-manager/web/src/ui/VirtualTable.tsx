import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./Icon";
import { useVirtualRows } from "./useVirtualRows";

/** A column of a table. */
export interface TableColumn {
  /** Names it. */
  key: string;
  /** What stands above it. */
  header: ComponentChildren;
  /** Its width as CSS grid has it, such as 90px or minmax(120px, 1fr). */
  width: string;
  /** Whether its values are numbers, which stand at the right. */
  numeric?: boolean;
  /** Whether a click on the header sorts by it. */
  sortable?: boolean;
  /** What a row shows here. */
  cell: (index: number) => ComponentChildren;
}

/** One column that rows are sorted by. */
export interface ColumnOrder {
  key: string;
  descending: boolean;
}

/** What a table is made of. */
export interface VirtualTableProps {
  /** The table's name, for a screen reader. */
  label: string;
  columns: readonly TableColumn[];
  /** How many rows there are, those that are not loaded yet included. */
  count: number;
  /** What a row is known by while the table lives. */
  rowKey: (index: number) => string | number;
  /** The columns that rows are sorted by, the first one first, and which way. */
  sort?: readonly ColumnOrder[];
  /** A click on a header; with Shift the columns sorted by so far stay. */
  onSort?: (key: string, further: boolean) => void;
  /** A column that can be sorted by was made wider or narrower; without it, all keep their width. */
  onResize?: (key: string, width: number) => void;
  /** What an opened row shows below itself; undefined for a row that is not open. */
  expanded?: (index: number) => ComponentChildren;
  /** Enter or a click on a row. */
  onRow?: (index: number) => void;
  /** Whether a row is marked. */
  selected?: (index: number) => boolean;
  /** Space on a row. */
  onSelect?: (index: number) => void;
  /** The usual height of a row in CSS pixels. */
  rowHeight?: number;
  /** What stands in the place of the rows when there are none. */
  empty?: ComponentChildren;
}

/**
 * A table of any number of rows, of which only those that can be seen are in the document. The arrow keys go
 * from row to row, Enter opens a row, Space marks it.
 */
export function VirtualTable(props: VirtualTableProps) {
  const { columns, count, rowHeight = 34 } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualRows(scroller, count, rowHeight);
  const [current, setCurrent] = useState(0);
  const template = columns.map((column) => column.width).join(" ");

  const focused = useRef<HTMLElement>();
  useLayoutEffect(() => {
    // A row that gets its trial, or comes back into sight, is another element.
    const isGone = focused.current !== undefined && !focused.current.isConnected;
    if (isGone && document.activeElement === document.body)
      rowElement(current)?.focus({ preventScroll: true });
  });

  function rowElement(index: number): HTMLElement | null | undefined {
    return scroller.current?.querySelector<HTMLElement>(`[data-row="${index}"]`);
  }

  function goTo(index: number): void {
    const target = Math.max(0, Math.min(count - 1, index));
    setCurrent(target);
    rows.scrollTo(target);
    requestAnimationFrame(() => rowElement(target)?.focus());
  }

  function onKey(event: KeyboardEvent): void {
    const row = (event.target as HTMLElement).dataset["row"];
    if (row === undefined) return;
    const index = Number(row);
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
    const moves: Record<string, () => void> = {
      ArrowDown: () => goTo(index + 1),
      ArrowUp: () => goTo(index - 1),
      PageDown: () => goTo(index + page),
      PageUp: () => goTo(index - page),
      Home: () => goTo(0),
      End: () => goTo(count - 1),
      Enter: () => props.onRow?.(index),
      " ": () => props.onSelect?.(index),
    };
    const move = moves[event.key];
    if (move === undefined) return;
    event.preventDefault();
    move();
  }

  return (
    <div
      class="table-scroller"
      role="grid"
      aria-label={props.label}
      aria-rowcount={count + 1}
      aria-colcount={columns.length}
      ref={scroller}
      onKeyDown={onKey}
    >
      <div class="table-head" role="row" style={{ gridTemplateColumns: template }}>
        {columns.map((column) => (
          <HeaderCell
            key={column.key}
            column={column}
            sort={props.sort}
            onSort={props.onSort}
            onResize={props.onResize}
          />
        ))}
      </div>
      {count === 0 && <div class="table-empty">{props.empty}</div>}
      <div class="table-body" role="rowgroup" style={{ height: `${rows.totalSize}px` }}>
        {rows.items.map((item) => (
          <div
            key={props.rowKey(item.index)}
            class="table-place"
            data-index={item.index}
            ref={rows.measure}
            style={{ transform: `translateY(${item.start}px)` }}
          >
            {/* biome-ignore lint/a11y/useKeyWithClickEvents: the table handles the keys of its rows */}
            <div
              role="row"
              class="table-row"
              data-row={item.index}
              aria-rowindex={item.index + 2}
              aria-selected={props.selected?.(item.index)}
              tabIndex={item.index === Math.min(current, count - 1) ? 0 : -1}
              style={{ gridTemplateColumns: template }}
              onFocus={(event) => {
                setCurrent(item.index);
                focused.current = event.currentTarget;
              }}
              onClick={(event) => {
                if (!isOwnClick(event)) props.onRow?.(item.index);
              }}
            >
              {columns.map((column) => (
                <div key={column.key} role="gridcell" class={column.numeric ? "cell numeric" : "cell"}>
                  {column.cell(item.index)}
                </div>
              ))}
            </div>
            {props.expanded?.(item.index)}
          </div>
        ))}
      </div>
    </div>
  );
}

function HeaderCell({
  column,
  sort = [],
  onSort,
  onResize,
}: { column: TableColumn } & Pick<VirtualTableProps, "sort" | "onSort" | "onResize">) {
  const place = sort.findIndex((order) => order.key === column.key);
  const sorted = sort[place];
  const direction = sorted?.descending ? "descending" : "ascending";
  return (
    <div
      role="columnheader"
      class={column.numeric ? "cell numeric head" : "cell head"}
      aria-sort={sorted === undefined ? undefined : direction}
    >
      {column.sortable && onSort !== undefined ? (
        <button
          type="button"
          class="sorter"
          title="Sort; with Shift after the columns sorted by"
          onClick={(event) => onSort(column.key, event.shiftKey)}
        >
          {column.header}
          {sorted !== undefined && <Icon name={sorted.descending ? "down" : "up"} />}
          {sort.length > 1 && place >= 0 && <small>{place + 1}</small>}
        </button>
      ) : (
        column.header
      )}
      {column.sortable && onResize !== undefined && <WidthHandle column={column} onResize={onResize} />}
    </div>
  );
}

const WIDTH_STEP = 16;

/** The right edge of a header: dragged, or moved by the arrow keys, it changes the column's width. */
function WidthHandle({
  column,
  onResize,
}: {
  column: TableColumn;
  onResize: (key: string, width: number) => void;
}) {
  const handle = useRef<HTMLDivElement>(null);
  const from = useRef<{ x: number; width: number }>();
  const width = (): number => handle.current?.parentElement?.getBoundingClientRect().width ?? 0;
  return (
    <div
      ref={handle}
      class="width-handle"
      role="slider"
      tabIndex={0}
      aria-orientation="horizontal"
      aria-label={`Width of ${column.key}`}
      aria-valuenow={Math.round(Number.parseFloat(column.width)) || 0}
      onPointerDown={(event) => {
        event.preventDefault();
        handle.current?.setPointerCapture(event.pointerId);
        from.current = { x: event.clientX, width: width() };
      }}
      onPointerMove={(event) => {
        const { current: start } = from;
        if (start !== undefined) onResize(column.key, Math.round(start.width + event.clientX - start.x));
      }}
      onPointerUp={() => {
        from.current = undefined;
      }}
      onKeyDown={(event) => {
        const steps = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (steps === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        onResize(column.key, Math.round(width()) + steps * WIDTH_STEP);
      }}
    />
  );
}

/** Whether a click belongs to something in the row, or ended a selection of text. */
function isOwnClick(event: MouseEvent): boolean {
  const inControl = (event.target as Element).closest("button, a, input, label, select, .menu") !== null;
  return inControl || (window.getSelection()?.toString() ?? "") !== "";
}
