/** Finding a text in lines, as browsers find one in a page. */

/** A stretch of a text, and whether it is what was looked for. */
export interface Stretch {
  text: string;
  found: boolean;
}

/** Returns the numbers of the lines that have a text in them, in whatever case; none for an empty one. */
export function linesWith(lines: readonly string[], wanted: string): number[] {
  const text = wanted.trim().toLowerCase();
  if (text === "") return [];
  return lines.flatMap((line, at) => (line.toLowerCase().includes(text) ? [at] : []));
}

/** Returns a text in stretches, each place where another text is being one of its own. */
export function stretches(text: string, wanted: string): Stretch[] {
  const looked = wanted.trim().toLowerCase();
  const lower = text.toLowerCase();
  // Some letters are longer in lower case: then places do not fit, and the line as a whole is marked.
  if (looked === "" || lower.length !== text.length) return [{ text, found: false }];
  const parts: Stretch[] = [];
  let from = 0;
  for (let at = lower.indexOf(looked); at >= 0; at = lower.indexOf(looked, from)) {
    if (at > from) parts.push({ text: text.slice(from, at), found: false });
    from = at + looked.length;
    parts.push({ text: text.slice(at, from), found: true });
  }
  if (from < text.length) parts.push({ text: text.slice(from), found: false });
  return parts;
}
