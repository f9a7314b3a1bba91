import { useState } from "preact/hooks";

/** The trials that were marked, by resource name. */
export interface Selection {
  names: ReadonlySet<string>;
  /** Marks a trial or takes its mark away; `range` marks all from the one marked before to it. */
  toggle: (index: number, range: boolean) => void;
  set: (names: Iterable<string>) => void;
}

/**
 * Keeps what is marked while rows come and go.
 *
 * @param nameAt Returns the name of the trial in a row, undefined while it is not loaded.
 */
export function useSelection(nameAt: (index: number) => string | undefined): Selection {
  const [names, setNames] = useState<ReadonlySet<string>>(new Set());
  const [last, setLast] = useState<number>();
  function toggle(index: number, range: boolean): void {
    const name = nameAt(index);
    if (name === undefined) return;
    const next = new Set(names);
    if (range && last !== undefined) {
      for (let row = Math.min(last, index); row <= Math.max(last, index); row++) {
        const between = nameAt(row);
        if (between !== undefined) next.add(between);
      }
    } else if (!next.delete(name)) {
      next.add(name);
    }
    setLast(index);
    setNames(next);
  }
  return { names, toggle, set: (chosen) => setNames(new Set(chosen)) };
}
