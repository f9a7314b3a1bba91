/** Opens an experiment: in this page, or in the page of the manager that runs it. */

import { client } from "../../api/client";
import { ownExperiment } from "../../api/page_facts";
import { go, href } from "../../app/router";
import type { Listed } from "./listed";

/** Whether another manager has its page. */
export function isElsewhere(one: Listed): boolean {
  return one.running && !one.own;
}

/** Returns the address of an experiment that this page shows itself. */
export function addressOf(one: Listed): string {
  return href("overview", "", undefined, one.own ? ownExperiment : one.name);
}

/**
 * Opens an experiment.
 *
 * @param one The experiment.
 * @returns A link for the reader to open, undefined when it is open. The link works once.
 * @throws ConnectError when its manager gives no link.
 */
export async function open(one: Listed): Promise<string | undefined> {
  if (!isElsewhere(one)) {
    go(addressOf(one));
    return undefined;
  }
  // Later than in the click itself, browsers open no window.
  const tab = window.open("about:blank", "_blank");
  if (tab !== null) tab.opener = null;
  try {
    const { url } = await client.createSignInCode({ name: one.name });
    const isReached = new URL(url).hostname === window.location.hostname;
    if (tab === null || !isReached) {
      tab?.close();
      return url;
    }
    tab.location.replace(url);
    return undefined;
  } catch (error) {
    tab?.close();
    throw error;
  }
}
