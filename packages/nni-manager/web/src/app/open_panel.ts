import { signal } from "@preact/signals";

/** A panel at the right edge of the page. */
export type PanelName = "logs" | "configuration" | "search space" | "shortcuts";

/** The panel that is open. */
export const openPanel = signal<PanelName | undefined>();
