/** The end of a file of a trial or an experiment, and what is added to it. */

import { useEffect, useState } from "preact/hooks";
import { client, problemText, wasCanceled } from "./client";

/** How much of a file's end is shown, in bytes. */
export const SHOWN_BYTES = 512 * 1024;
/** How many lines are kept. */
export const MOST_LINES = 20_000;
const AGAIN_MS = 2000;

/** What is known of a file's end. */
export interface FileTail {
  /** The lines, the newest last; the last one may go on. */
  lines: readonly string[];
  /** Whether the file begins before the first line. */
  cut: boolean;
  /** The file's size in bytes. */
  size: number;
  /** Whether the file is watched at this moment. */
  following: boolean;
  /** Why it cannot be read, undefined when it can. */
  problem: string | undefined;
}

const EMPTY: FileTail = { lines: [], cut: false, size: 0, following: true, problem: undefined };

/** Returns the end of a file and follows it. */
export function useFileTail(parent: string, path: string): FileTail {
  const [tail, setTail] = useState<FileTail>(EMPTY);
  useEffect(() => {
    setTail(EMPTY);
    const end = new AbortController();
    void follow(parent, path, setTail, end.signal);
    return () => end.abort();
  }, [parent, path]);
  return tail;
}

async function follow(
  parent: string,
  path: string,
  show: (tail: FileTail) => void,
  signal: AbortSignal,
): Promise<void> {
  let tail = EMPTY;
  while (!signal.aborted) {
    const text = new TailText();
    try {
      const pieces = client.readFile(
        { parent, path, offset: BigInt(-SHOWN_BYTES), follow: true },
        { signal },
      );
      for await (const piece of pieces) {
        text.add(piece.content, Number(piece.offset));
        tail = {
          lines: text.lines,
          cut: text.cut,
          size: Number(piece.size),
          following: true,
          problem: undefined,
        };
        show(tail);
      }
      show({ ...tail, following: false });
      return;
    } catch (error) {
      if (signal.aborted || wasCanceled(error)) return;
      show({ ...tail, following: false, problem: problemText(error) });
    }
    // The file may come to be, or the manager may come back.
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Puts the pieces of a file together as lines. */
export class TailText {
  /** The lines so far. */
  lines: readonly string[] = [];
  /** Whether the file begins before the first line. */
  cut = false;
  private decoder = new TextDecoder();
  private next: number | undefined;

  /** Adds a piece that begins at an offset; one that begins anew takes the place of all before. */
  add(content: Uint8Array, offset: number): void {
    if (this.next === undefined || offset < this.next) {
      this.decoder = new TextDecoder();
      this.lines = [];
      this.cut = offset > 0;
    }
    const first = this.next === undefined && offset > 0;
    this.next = offset + content.length;
    const added = this.decoder.decode(content, { stream: true }).split("\n");
    // The first line of a file that was cut is the end of one.
    if (first && added.length > 1) added.shift();
    const last = this.lines.at(-1) ?? "";
    const lines = [...this.lines.slice(0, -1), last + (added[0] ?? ""), ...added.slice(1)];
    if (lines.length > MOST_LINES) this.cut = true;
    this.lines = lines.slice(-MOST_LINES);
  }
}

/** Returns a whole file. */
export async function readWhole(parent: string, path: string): Promise<BlobPart[]> {
  const pieces: BlobPart[] = [];
  for await (const piece of client.readFile({ parent, path })) pieces.push(new Uint8Array(piece.content));
  return pieces;
}
