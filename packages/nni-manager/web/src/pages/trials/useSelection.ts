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
 * @param namesBetween Returns the names of the trials from a row to another; without it all are loaded.
 */
export function useSelection(
  nameAt: (index: number) => string | undefined,
  namesBetween = async (first: number, last: number): Promise<readonly string[]> =>
    Array.from({ length: last - first + 1 }, (_, at) => nameAt(first + at) ?? []).flat(),
): Selection {
  const [names, setNames] = useState<ReadonlySet<string>>(new Set());
  const [last, setLast] = useState<number>();
  function toggle(index: number, range: boolean): void {
    const name = nameAt(index);
    if (name === undefined) return;
    setLast(index);
    if (range && last !== undefined) {
      void namesBetween(Math.min(last, index), Math.max(last, index)).then((between) =>
        setNames((before) => new Set([...before, ...between])),
      );
      return;
    }
    const next = new Set(names);
    if (!next.delete(name)) next.add(name);
    setNames(next);
  }
  return { names, toggle, set: (chosen) => setNames(new Set(chosen)) };
}
