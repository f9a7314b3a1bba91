/** Returns the mean of durations in seconds, those that are not known left out; undefined for none. */
export function meanDuration(durations: readonly number[]): number | undefined {
  const known = durations.filter((one) => Number.isFinite(one) && one >= 0);
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length;
}
