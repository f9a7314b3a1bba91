/** Asks the service again when the experiment has changed: at most once a second, one question at a time. */

import { useEffect, useRef, useState } from "preact/hooks";
import { problemText, wasCanceled } from "./client";
import { columnsVersion } from "./column_changes";
import { onRevision } from "./live";

const LEAST_BETWEEN_MS = 1000;
const MOST_KEPT = 30;
const kept = new Map<string, unknown>();

/** What is known of an answer. */
export interface Answer<T> {
  /** The newest answer, of the question before while a new one is asked; undefined before the first. */
  data: T | undefined;
  /** Why the last question failed, undefined when it did not. */
  problem: string | undefined;
  /** Whether a changed question waits for its answer. */
  loading: boolean;
  /** Asks again now. */
  refresh: () => void;
}

/**
 * Asks now, when the question changes, and when the experiment has changed.
 *
 * @param question Names what is asked; another text is another question.
 * @param ask Asks it. Its signal ends the call when the answer is of no use any more.
 * @param keep Whether the last answer is shown again while the question is asked again later. The question's
 *     text must then be one that nothing else in the page asks.
 */
export function useLiveQuery<T>(
  question: string,
  ask: (signal: AbortSignal) => Promise<T>,
  keep = false,
): Answer<T> {
  return useAnswer(question, ask, keep, onRevision);
}

/** Asks now, when the question changes, and when there may be other columns than before; see `useLiveQuery`. */
export function useColumnsQuery<T>(question: string, ask: (signal: AbortSignal) => Promise<T>): Answer<T> {
  return useAnswer(question, ask, false, (callback) => columnsVersion.subscribe(callback));
}

/** Asks once, unless that was done, for `useLiveQuery` to have an answer to keep. */
export async function askAhead<T>(question: string, ask: () => Promise<T>): Promise<void> {
  if (kept.has(question)) return;
  try {
    remember(question, await ask());
  } catch {
    // Whoever asks for it later is told.
  }
}

function useAnswer<T>(
  question: string,
  ask: (signal: AbortSignal) => Promise<T>,
  keep: boolean,
  onChange: (callback: () => void) => () => void,
): Answer<T> {
  const [answer, setAnswer] = useState<Omit<Answer<T>, "refresh">>({
    data: keep ? (kept.get(question) as T | undefined) : undefined,
    problem: undefined,
    loading: true,
  });
  const newestAsk = useRef(ask);
  newestAsk.current = ask;
  const refresh = useRef(() => {});
  useEffect(() => {
    setAnswer((before) => ({ ...before, loading: true }));
    const asker = new Asker(
      (signal) => newestAsk.current(signal),
      (data) => {
        if (keep) remember(question, data);
        setAnswer({ data, problem: undefined, loading: false });
      },
      (problem) => setAnswer((before) => ({ ...before, problem, loading: false })),
    );
    refresh.current = () => asker.ask();
    const end = onChange(() => asker.ask());
    return () => {
      end();
      asker.end();
    };
  }, [question]);
  return { ...answer, refresh: refresh.current };
}

function remember(question: string, data: unknown): void {
  kept.delete(question);
  kept.set(question, data);
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_KEPT) break;
    kept.delete(oldest);
  }
}

/** Keeps to one question at a time and to the least time between two. */
export class Asker<T> {
  private readonly controller = new AbortController();
  private asking = false;
  private again = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = Number.NEGATIVE_INFINITY;

  /**
   * @param question Asks.
   * @param answered Gets an answer.
   * @param failed Gets why there is none.
   */
  constructor(
    private readonly question: (signal: AbortSignal) => Promise<T>,
    private readonly answered: (data: T) => void,
    private readonly failed: (problem: string) => void,
  ) {}

  /** Asks as soon as that is allowed. */
  ask(): void {
    if (this.controller.signal.aborted) return;
    if (this.asking || this.timer !== undefined) {
      this.again = true;
      return;
    }
    const wait = this.last + LEAST_BETWEEN_MS - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        void this.askNow();
      }, wait);
    } else {
      void this.askNow();
    }
  }

  /** Asks no more. */
  end(): void {
    this.controller.abort();
    clearTimeout(this.timer);
  }

  private async askNow(): Promise<void> {
    this.asking = true;
    this.again = false;
    this.last = performance.now();
    try {
      const data = await this.question(this.controller.signal);
      if (!this.controller.signal.aborted) this.answered(data);
    } catch (error) {
      if (!this.controller.signal.aborted && !wasCanceled(error)) this.failed(problemText(error));
    } finally {
      this.asking = false;
    }
    if (this.again) this.ask();
  }
}
