/** The place in the page, kept in the address after the #, so that it can be linked and gone back to. */

import { computed, signal } from "@preact/signals";
import { mayChange, ownExperiment } from "../api/page_facts";

/** The pages, in the order of the navigation. */
export const PAGES = ["overview", "trials", "charts", "experiments"] as const;

/** The name of a page. */
export type PageName = (typeof PAGES)[number];

/** A place: the page, of which experiment, and the rest of the address. */
export interface Place {
  /** The resource name of the experiment. */
  experiment: string;
  /** The page. */
  page: PageName;
  /** What follows the page's name, such as the kind of chart; "" for nothing. */
  rest: string;
  /** What follows the ?. */
  query: URLSearchParams;
}

/** Returns the place that an address names; one that is no place is the overview. */
export function parsePlace(hash: string): Place {
  const [path = "", query = ""] = split(hash.replace(/^#?\/?/, ""), "?");
  const parts = path.split("/").map(decoded);
  const [first, id] = parts;
  const other = first === "e" && id !== undefined && id !== "";
  if (other) parts.splice(0, 2);
  const page = PAGES.find((name) => name === parts[0]) ?? "overview";
  return {
    experiment: other ? `experiments/${id}` : ownExperiment,
    page,
    rest: parts.slice(1).join("/"),
    query: new URLSearchParams(query),
  };
}

/**
 * Returns the address of a page of the experiment shown.
 *
 * @param page The page.
 * @param rest What follows its name.
 * @param query What follows the ?.
 * @param experiment The resource name of another experiment to show.
 */
export function href(
  page: PageName,
  rest = "",
  query?: URLSearchParams,
  experiment: string = place.value.experiment,
): string {
  const parts = experiment === ownExperiment ? [] : ["e", experiment.slice("experiments/".length)];
  const path = [...parts, page, ...(rest === "" ? [] : rest.split("/"))].map(encodeURIComponent).join("/");
  const text = query?.toString() ?? "";
  return `#/${path}${text === "" ? "" : `?${text}`}`;
}

/** Goes to an address that href returned. */
export function go(address: string): void {
  window.location.hash = address;
}

/** Changes the address without a step to go back to, as filters do. */
export function replace(address: string): void {
  window.history.replaceState(null, "", address);
  place.value = parsePlace(address);
}

/** Where the page is. */
export const place = signal(parsePlace(window.location.hash));

/** The resource name of the experiment shown. */
export const shownExperiment = computed(() => place.value.experiment);

/** Whether this browser may change the experiment shown: others than the manager's own are read-only. */
export const maySteer = computed(() => mayChange && shownExperiment.value === ownExperiment);

window.addEventListener("hashchange", () => {
  place.value = parsePlace(window.location.hash);
});

function split(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
