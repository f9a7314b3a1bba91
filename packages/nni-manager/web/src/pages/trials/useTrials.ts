import { useEffect, useReducer, useRef } from "preact/hooks";
import { client } from "../../api/client";
import { onRevision } from "../../api/live";
import { PAGE_SIZE, TrialPages } from "./trial_pages";
import { orderBy, type SortKey } from "./view";

/** The trials that are shown, and why newer ones are not. */
export interface ShownTrials {
  /** The trials of the last filter and order that the service understood. */
  pages: TrialPages;
  /** What the service refused, undefined when it did not. */
  problem: string | undefined;
}

/**
 * Returns the trials of an experiment that a filter holds for, fetched as they are looked at.
 *
 * @param parent The experiment's resource name.
 * @param filter The filter.
 * @param sort The order.
 */
export function useTrials(parent: string, filter: string, sort: readonly SortKey[]): ShownTrials {
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const order = orderBy(sort);
  const shown = useRef<Following>();
  const asked = useRef<Following>();
  useEffect(() => {
    // The rows of before stay, and stay up to date, until the new ones are there.
    if (asked.current !== shown.current) asked.current?.end();
    const made: Following = follow(parent, filter, order, () => {
      if (made.pages.loaded && shown.current !== made) {
        shown.current?.end();
        shown.current = made;
      }
      redraw(0);
    });
    asked.current = made;
  }, [parent, filter, order]);
  useEffect(
    () => () => {
      asked.current?.end();
      shown.current?.end();
    },
    [],
  );
  const pages = shown.current?.pages ?? NOTHING_YET;
  return { pages, problem: asked.current?.pages.problem };
}

interface Following {
  pages: TrialPages;
  end: () => void;
}

const NOTHING_YET = new TrialPages(
  () => Promise.reject(new Error("nothing is asked yet")),
  () => {},
);

function follow(parent: string, filter: string, order: string, changed: () => void): Following {
  const pages = new TrialPages(async (skip, signal) => {
    const request = { parent, filter, orderBy: order, skip, pageSize: PAGE_SIZE };
    const response = await client.listTrials(request, { signal });
    return { trials: response.trials, total: response.totalSize, revision: response.revision };
  }, changed);
  // It calls at once, which fetches the first page.
  const end = onRevision((revision) => pages.refresh(revision));
  return {
    pages,
    end: () => {
      end();
      pages.end();
    },
  };
}
