/** Text with the colours that programs write for terminals (ECMA-48), as pieces with classes. */

import Anser from "anser";

/** A piece of text that looks the same throughout. */
export interface AnsiPiece {
  text: string;
  /** The classes that give it its look. */
  class: string;
}

const KNOWN = /^ansi-(bright-)?(black|red|green|yellow|blue|magenta|cyan|white)$/;

/** Returns a line as pieces; what a terminal would not show is left out. */
export function ansiPieces(line: string): AnsiPiece[] {
  return Anser.ansiToJson(lastWritten(line), { use_classes: true, remove_empty: true }).map((part) => ({
    text: part.content,
    class: [
      part.fg !== null && KNOWN.test(part.fg) ? part.fg : "",
      part.bg !== null && KNOWN.test(part.bg) ? part.bg.replace("ansi-", "ansi-on-") : "",
      ...part.decorations.map((decoration) => `ansi-${decoration}`),
    ]
      .filter(Boolean)
      .join(" "),
  }));
}

/** Returns what stands in a line after carriage returns have written over it, as progress bars do. */
function lastWritten(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.slice(text.lastIndexOf("\r") + 1);
}
