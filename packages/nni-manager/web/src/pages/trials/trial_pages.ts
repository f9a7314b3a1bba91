/** The rows of a long table of trials: only the pages that are looked at are fetched, and kept up to date. */

import { problemText, wasCanceled } from "../../api/client";
import { Asker } from "../../api/query";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";

/** How many trials one call fetches. */
export const PAGE_SIZE = 100;
/** What is in view lies on no more pages. */
const MOST_WANTED = 4;
/** Rows that are only scrolled past are not fetched. */
const PAUSE_MS = 50;

/** One page of trials, with how many there are on all pages. */
export interface TrialPage {
  trials: readonly Trial[];
  total: number;
  /** The revision that it was read at. */
  revision: bigint;
}

/** Fetches the trials after the first `skip`. */
export type FetchPage = (skip: number, signal: AbortSignal) => Promise<TrialPage>;

/** The pages of one filter in one order. */
export class TrialPages {
  /** How many trials there are. */
  total = 0;
  /** Whether the first answer is there. */
  loaded = false;
  /** Why the last call failed, undefined when it did not. */
  problem: string | undefined;

  private readonly pages = new Map<number, readonly Trial[]>();
  private readonly asked = new Set<number>();
  private readonly failed = new Set<number>();
  private readonly controller = new AbortController();
  /** The pages looked at last, the newest at the end. */
  private readonly wanted = new Set<number>([0]);
  private soon: ReturnType<typeof setTimeout> | undefined;
  private readAt = -1n;
  private readonly again: Asker<void>;

  /**
   * @param fetch Fetches a page.
   * @param changed Is called when there is something new to draw.
   */
  constructor(
    private readonly fetch: FetchPage,
    private readonly changed: () => void,
  ) {
    this.again = new Asker<void>(
      async (signal) => {
        for (const page of [...this.wanted]) await this.load(page, signal);
      },
      () => {},
      () => {},
    );
  }

  /** Returns the trial in a row, undefined while it is not there; its page is then fetched. */
  at(index: number): Trial | undefined {
    const page = Math.floor(index / PAGE_SIZE);
    this.wanted.delete(page);
    this.wanted.add(page);
    const [oldest] = this.wanted;
    if (this.wanted.size > MOST_WANTED && oldest !== undefined) this.wanted.delete(oldest);
    if (!this.pages.has(page)) this.soon ??= setTimeout(() => this.loadWanted(), PAUSE_MS);
    return this.pages.get(page)?.[index % PAGE_SIZE];
  }

  /** Fetches what is wanted and not there; what failed is asked again by a refresh. */
  loadWanted(): void {
    clearTimeout(this.soon);
    this.soon = undefined;
    for (const page of this.wanted) {
      const known = this.pages.has(page) || this.asked.has(page) || this.failed.has(page);
      if (!known) void this.load(page, this.controller.signal);
    }
  }

  /**
   * Fetches the pages in view again, at most once a second; the others when they are looked at.
   *
   * @param revision What is read at this revision, or later, is new enough.
   */
  refresh(revision: bigint): void {
    if (revision <= this.readAt) return;
    this.failed.clear();
    for (const page of this.pages.keys()) if (!this.wanted.has(page)) this.pages.delete(page);
    this.again.ask();
  }

  /** Fetches nothing more. */
  end(): void {
    clearTimeout(this.soon);
    this.controller.abort();
    this.again.end();
  }

  private async load(page: number, signal: AbortSignal): Promise<void> {
    this.asked.add(page);
    try {
      const answer = await this.fetch(page * PAGE_SIZE, signal);
      this.pages.set(page, answer.trials);
      this.total = answer.total;
      this.readAt = answer.revision;
      this.loaded = true;
      this.problem = undefined;
    } catch (error) {
      if (wasCanceled(error)) return;
      this.failed.add(page);
      this.problem = problemText(error);
    } finally {
      this.asked.delete(page);
    }
    if (!this.controller.signal.aborted) this.changed();
  }
}
