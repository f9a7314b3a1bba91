/** Ranks, correlation and interpolation, as charts need them. */

/** The ranks of the values from 1; equal values share the mean of their ranks. */
export function ranks(values: readonly number[]): number[] {
  const order = values
    .map((_, place) => place)
    .sort((one, other) => (values[one] ?? 0) - (values[other] ?? 0));
  const result = new Array<number>(values.length).fill(0);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    for (let at = start; at < end; at++) result[order[at] ?? 0] = (start + end + 1) / 2;
    start = end;
  }
  return result;
}

/**
 * Spearman's rank correlation of the pairs in which both are numbers; infinite ones rank first or last.
 * Undefined with fewer than three pairs, or when one side has a single value.
 */
export function spearman(xs: readonly number[], ys: readonly number[]): { value?: number; pairs: number } {
  const places = xs
    .map((_, place) => place)
    .filter((place) => !Number.isNaN(xs[place]) && !Number.isNaN(ys[place]));
  const pairs = places.length;
  if (pairs < 3) return { pairs };
  const rx = ranks(places.map((place) => xs[place] ?? 0));
  const ry = ranks(places.map((place) => ys[place] ?? 0));
  const mean = (pairs + 1) / 2;
  let product = 0;
  let squaresX = 0;
  let squaresY = 0;
  for (let at = 0; at < pairs; at++) {
    const dx = (rx[at] ?? 0) - mean;
    const dy = (ry[at] ?? 0) - mean;
    product += dx * dy;
    squaresX += dx * dx;
    squaresY += dy * dy;
  }
  if (squaresX === 0 || squaresY === 0) return { pairs };
  return { value: product / Math.sqrt(squaresX * squaresY), pairs };
}

/** A point with a value; x and y between 0 and 1. */
export interface Sample {
  x: number;
  y: number;
  value: number;
}

/**
 * The value between samples, by inverse squared distance over the nearest of them (Shepard, 1968). Undefined
 * where the nearest sample is further away than `reach`.
 */
export function interpolate(samples: readonly Sample[], x: number, y: number, reach: number, nearest = 12) {
  const near: { distance: number; value: number }[] = [];
  for (const sample of samples) {
    const distance = (sample.x - x) ** 2 + (sample.y - y) ** 2;
    const last = near.at(-1);
    if (near.length === nearest && last && distance >= last.distance) continue;
    let at = near.length;
    while (at > 0 && (near[at - 1]?.distance ?? 0) > distance) at--;
    near.splice(at, 0, { distance, value: sample.value });
    if (near.length > nearest) near.pop();
  }
  const first = near[0];
  if (!first || first.distance > reach ** 2) return undefined;
  let weights = 0;
  let sum = 0;
  for (const { distance, value } of near) {
    // Added to the distance, it keeps single trials from standing out as spots.
    const weight = 1 / (distance + 1e-3);
    weights += weight;
    sum += weight * value;
  }
  return sum / weights;
}

/** Returns a range made a little longer so that it begins and ends with round numbers. */
export function roundedOut([low, high]: [number, number]): [number, number] {
  const length = high - low || Math.abs(high) || 1;
  const step = 10 ** Math.floor(Math.log10(length)) / 5;
  const round = (value: number) => Number((value * step).toPrecision(12));
  return [round(Math.floor(low / step)), round(Math.ceil(high / step + 0.01))];
}

/** The lowest and the highest finite value; undefined without one. */
export function extent(values: Iterable<number>): [low: number, high: number] | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : undefined;
}

/** Returns the middle of the values: as many are shorter as are longer. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}
