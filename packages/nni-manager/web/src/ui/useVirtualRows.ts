import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useReducer, useRef } from "preact/hooks";

/** The rows that have to be drawn, and how to go to one. */
export interface VirtualRows {
  items: VirtualItem[];
  /** The height of all rows, in CSS pixels. */
  totalSize: number;
  /** The ref of a row whose height is measured; the row needs data-index. */
  measure: (row: Element | null) => void;
  scrollTo: (index: number) => void;
}

/**
 * Keeps only those of many rows in the document that can be seen.
 *
 * @param scroller The element that scrolls.
 * @param count How many rows there are.
 * @param rowHeight The usual height of one, in CSS pixels.
 */
export function useVirtualRows(
  scroller: RefObject<HTMLElement>,
  count: number,
  rowHeight: number,
): VirtualRows {
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const options = {
    count,
    estimateSize: () => rowHeight,
    getScrollElement: () => scroller.current,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    overscan: 12,
    onChange: () => redraw(0),
  };
  const kept = useRef<Virtualizer<HTMLElement, Element>>();
  kept.current ??= new Virtualizer<HTMLElement, Element>(options);
  const virtualizer = kept.current;
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  return {
    items: virtualizer.getVirtualItems(),
    totalSize: virtualizer.getTotalSize(),
    measure: virtualizer.measureElement,
    scrollTo: (index) => virtualizer.scrollToIndex(index, { align: "auto" }),
  };
}
