/** What the trials page shows, as its address holds it: the filter, the order and the open trials. */

/** One column that trials are sorted by. */
export interface SortKey {
  column: string;
  descending: boolean;
}

/** What is shown. */
export interface TrialsView {
  /** The filter, as it was written; "" for all trials. */
  filter: string;
  /** The columns to sort by, the first one first; none for the order of their numbers. */
  sort: readonly SortKey[];
  /** The ids of the trials whose details are open. */
  open: readonly string[];
}

/** Returns what an address's query says. */
export function viewOf(query: URLSearchParams): TrialsView {
  return {
    filter: query.get("filter") ?? "",
    sort: (query.get("sort") ?? "").split(",").filter(Boolean).map(sortKey),
    open: (query.get("open") ?? "").split(",").filter(Boolean),
  };
}

/** Returns the query of an address that shows this again. */
export function queryOf(view: TrialsView): URLSearchParams {
  const query = new URLSearchParams();
  if (view.filter !== "") query.set("filter", view.filter);
  if (view.sort.length > 0) {
    query.set("sort", view.sort.map((key) => (key.descending ? "-" : "") + key.column).join(","));
  }
  if (view.open.length > 0) query.set("open", view.open.join(","));
  return query;
}

/** Returns the order as the service has it, such as `objective desc, number`. */
export function orderBy(sort: readonly SortKey[]): string {
  return sort.map((key) => (key.descending ? `${key.column} desc` : key.column)).join(", ");
}

/**
 * Returns the order after a click on a column: ascending, then descending, then no more.
 *
 * @param sort The order before.
 * @param column The column.
 * @param further Whether the columns before it stay: it is then sorted by among their equals.
 */
export function sortedBy(sort: readonly SortKey[], column: string, further: boolean): readonly SortKey[] {
  const before = sort.find((key) => key.column === column);
  const others = further ? sort.filter((key) => key.column !== column) : [];
  if (before === undefined) return [...others, { column, descending: false }];
  if (before.descending) return others;
  return further
    ? sort.map((key) => (key === before ? { column, descending: true } : key))
    : [{ column, descending: true }];
}

/** Returns a filter that holds where both do. */
export function narrowed(filter: string, more: string): string {
  const text = filter.trim();
  if (text === "") return more;
  return /\bor\b/i.test(text) ? `(${text}) and ${more}` : `${text} and ${more}`;
}

function sortKey(text: string): SortKey {
  return text.startsWith("-")
    ? { column: text.slice(1), descending: true }
    : { column: text, descending: false };
}
