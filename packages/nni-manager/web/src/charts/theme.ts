/** What charts take from the page's style sheet. */

import { Trial_Status } from "../generated/nni_proto/v1/trial_pb";

/** Colours and fonts of the page as it looks now. */
export interface Theme {
  dark: boolean;
  text: string;
  muted: string;
  line: string;
  background: string;
  accent: string;
  font: string;
  /** One colour for each status, by its number in the protocol. */
  statuses: Record<number, string>;
  /** From the least to the most striking. */
  ramp: string[];
  /** Below zero, zero, above zero. */
  diverging: [string, string, string];
  /** Colours of series that have no status. */
  series: string[];
  reducedMotion: boolean;
}

/** The custom property of each status. */
const statusProperties: Record<number, string> = {
  [Trial_Status.UNSPECIFIED]: "--status-unknown",
  [Trial_Status.UNKNOWN]: "--status-unknown",
  [Trial_Status.WAITING]: "--status-waiting",
  [Trial_Status.RUNNING]: "--status-running",
  [Trial_Status.SUCCEEDED]: "--status-succeeded",
  [Trial_Status.FAILED]: "--status-failed",
  [Trial_Status.USER_CANCELED]: "--status-canceled",
  [Trial_Status.SYS_CANCELED]: "--status-canceled",
  [Trial_Status.EARLY_STOPPED]: "--status-early-stopped",
};

/** Returns the theme that custom properties make; `read` returns the text of one. */
export function themeOf(read: (property: string) => string, dark: boolean, reducedMotion: boolean): Theme {
  const scale = [1, 2, 3, 4, 5, 6].map((step) => read(`--scale-${step}`));
  return {
    dark,
    text: read("--text"),
    muted: read("--text-quiet"),
    line: read("--line"),
    background: read("--surface"),
    accent: read("--accent"),
    font: read("--font"),
    statuses: Object.fromEntries(
      Object.entries(statusProperties).map(([status, property]) => [Number(status), read(property)]),
    ),
    // Yellow cannot be seen on white: there the scale begins with green and ends dark.
    ramp: dark ? scale : scale.slice(0, 5).reverse(),
    diverging: [read("--series-2"), read("--surface-sunk"), read("--series-1")],
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((place) => read(`--series-${place}`)),
    reducedMotion,
  };
}

/** Returns the theme of the page as it looks now. */
export function readTheme(dark: boolean): Theme {
  const style = getComputedStyle(document.documentElement);
  const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  return themeOf((property) => style.getPropertyValue(property).trim(), dark, reducedMotion);
}
