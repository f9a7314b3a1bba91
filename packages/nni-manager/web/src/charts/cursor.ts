/** The cursor that the arrow keys move over the marks of a chart. */

import type { Mark } from "./picture";

/** Where the cursor is: which group, and which mark in it. */
export interface Cursor {
  group: number;
  place: number;
}

/** How far the page keys go. */
const PAGE = 10;

/**
 * Returns where a key moves the cursor; undefined for keys that do not move it, and without marks.
 *
 * @param groups The marks.
 * @param cursor Where it is; undefined before the first key.
 * @param key The name of the key, as keyboard events have it.
 */
export function moved(
  groups: readonly Mark[][],
  cursor: Cursor | undefined,
  key: string,
): Cursor | undefined {
  const step = steps[key];
  const filled = groups.map((_, group) => group).filter((group) => (groups[group]?.length ?? 0) > 0);
  const first = filled[0];
  if (!step || first === undefined) return undefined;
  const size = (group: number) => groups[group]?.length ?? 0;
  if (cursor === undefined || size(cursor.group) === 0) {
    return { group: first, place: key === "End" || key === "ArrowLeft" ? size(first) - 1 : 0 };
  }
  const last = size(cursor.group) - 1;
  const here = Math.min(cursor.place, last);
  if (step.groups !== 0) {
    const at = filled.indexOf(cursor.group);
    const group = filled[Math.min(filled.length - 1, Math.max(0, at + step.groups))] ?? first;
    // The same share of the way, so that the eye finds the cursor again.
    const share = last > 0 ? here / last : 0;
    return { group, place: Math.round(share * (size(group) - 1)) };
  }
  return { group: cursor.group, place: Math.min(last, Math.max(0, here + step.places)) };
}

const steps: Record<string, { groups: number; places: number }> = {
  ArrowRight: { groups: 0, places: 1 },
  ArrowLeft: { groups: 0, places: -1 },
  PageDown: { groups: 0, places: PAGE },
  PageUp: { groups: 0, places: -PAGE },
  Home: { groups: 0, places: Number.NEGATIVE_INFINITY },
  End: { groups: 0, places: Number.POSITIVE_INFINITY },
  ArrowDown: { groups: 1, places: 0 },
  ArrowUp: { groups: -1, places: 0 },
};

/** Returns the place of a mark, for a mark that was pointed at. */
export function cursorAt(groups: readonly Mark[][], mark: Mark): Cursor | undefined {
  for (const [group, marks] of groups.entries()) {
    const place = marks.findIndex(
      (one) => one.seriesIndex === mark.seriesIndex && one.dataIndex === mark.dataIndex,
    );
    if (place >= 0) return { group, place };
  }
  return undefined;
}
