/** What the server wrote into the page's head. */

/** Returns a meta element's content; in a page that no manager served, the placeholder counts as nothing. */
function meta(name: string): string {
  const content = document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";
  return content.startsWith("$") ? "" : content;
}

/** The resource name of the experiment that the manager was started for. */
export const ownExperiment = meta("experiment") || "experiments/-";

/** Whether this browser may change things; a view-only sign-in may not. */
export const mayChange = meta("role") !== "view";

/** Returns the id in a resource name: its last part. */
export function idOf(resourceName: string): string {
  return resourceName.slice(resourceName.lastIndexOf("/") + 1);
}
