import { useEffect, useReducer, useState } from "preact/hooks";
import { client } from "../../api/client";
import { onRevision } from "../../api/live";
import { PAGE_SIZE, TrialPages } from "./trial_pages";
import { orderBy, type SortKey } from "./view";

/**
 * Returns the trials of an experiment that a filter holds for, fetched as they are looked at.
 *
 * @param parent The experiment's resource name.
 * @param filter The filter.
 * @param sort The order.
 */
export function useTrials(parent: string, filter: string, sort: readonly SortKey[]): TrialPages {
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const order = orderBy(sort);
  const [pages, setPages] = useState(NOTHING_YET);
  useEffect(() => {
    const made = makePages(parent, filter, order, () => {
      // The rows of before stay until the new ones are there.
      setPages(made);
      redraw(0);
    });
    made.loadWanted();
    const end = onRevision((revision) => made.refresh(revision));
    return () => {
      end();
      made.end();
    };
  }, [parent, filter, order]);
  useEffect(() => {
    if (pages !== NOTHING_YET) pages.loadWanted();
  });
  pages.beginDrawing();
  return pages;
}

const NOTHING_YET = new TrialPages(
  () => Promise.reject(new Error("nothing is asked yet")),
  () => {},
);

function makePages(parent: string, filter: string, order: string, changed: () => void): TrialPages {
  return new TrialPages(async (skip, signal) => {
    const request = { parent, filter, orderBy: order, skip, pageSize: PAGE_SIZE };
    const response = await client.listTrials(request, { signal });
    return { trials: response.trials, total: response.totalSize, revision: response.revision };
  }, changed);
}
