/** Returns the list with a name moved to a place; places outside it are its ends. */
export function movedTo(names: readonly string[], name: string, to: number): string[] {
  const others = names.filter((one) => one !== name);
  const place = Math.min(others.length, Math.max(0, to));
  return [...others.slice(0, place), name, ...others.slice(place)];
}
