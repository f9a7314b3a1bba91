/** What the experiments page shows, as its address holds it. */

import { type SortKey, sortedBy } from "../trials/view";

export { type SortKey, sortedBy };

/** What is shown. */
export interface ExperimentsView {
  /** The words that an experiment must have in its name, id, tuner, platform or folder. */
  text: string;
  /** The status that it must have, "" for any. */
  state: string;
  /** The platform that it must use, "" for any. */
  platform: string;
  /** It was created in this many days at most; 0 for any time. */
  days: number;
  /** The columns to sort by; none for the newest first. */
  sort: readonly SortKey[];
}

/** Returns what an address's query says. */
export function viewOf(query: URLSearchParams): ExperimentsView {
  const days = Number(query.get("days") ?? 0);
  return {
    text: query.get("text") ?? "",
    state: query.get("state") ?? "",
    platform: query.get("platform") ?? "",
    days: Number.isFinite(days) && days > 0 ? days : 0,
    sort: (query.get("sort") ?? "")
      .split(",")
      .filter(Boolean)
      .map((key) =>
        key.startsWith("-") ? { column: key.slice(1), descending: true } : { column: key, descending: false },
      ),
  };
}

/** Returns the query of an address that shows this again. */
export function queryOf(view: ExperimentsView): URLSearchParams {
  const sort = view.sort.map((key) => (key.descending ? `-${key.column}` : key.column)).join(",");
  const parts = {
    text: view.text,
    state: view.state,
    platform: view.platform,
    days: view.days === 0 ? "" : String(view.days),
    sort,
  };
  return new URLSearchParams(Object.entries(parts).filter(([, value]) => value !== ""));
}
