/** Which part of its axes a chart shows, in percent of each. */

/** From where to where, by the id of the zoom. */
export type Zoom = Record<string, { start: number; end: number }>;

const WHOLE = { start: 0, end: 100 };
const LEAST = 0.05;

/** Returns a part that is `factor` times as long around the same middle, within the whole. */
export function scaled(zoom: Zoom, ids: readonly string[], factor: number): Zoom {
  return changed(zoom, ids, ({ start, end }) => {
    const middle = (start + end) / 2;
    const half = Math.max(LEAST, ((end - start) * factor) / 2);
    return within(middle - half, middle + half);
  });
}

/** Returns a part moved by a share of its length, within the whole. */
export function shifted(zoom: Zoom, ids: readonly string[], share: number): Zoom {
  return changed(zoom, ids, ({ start, end }) => {
    const by = Math.max(-start, Math.min(100 - end, (end - start) * share));
    return { start: start + by, end: end + by };
  });
}

/** Returns the whole of every axis. */
export function whole(ids: readonly string[]): Zoom {
  return Object.fromEntries(ids.map((id) => [id, WHOLE]));
}

function changed(
  zoom: Zoom,
  ids: readonly string[],
  change: (part: { start: number; end: number }) => { start: number; end: number },
): Zoom {
  return { ...zoom, ...Object.fromEntries(ids.map((id) => [id, change(zoom[id] ?? WHOLE)])) };
}

function within(start: number, end: number): { start: number; end: number } {
  return { start: Math.max(0, start), end: Math.min(100, end) };
}
