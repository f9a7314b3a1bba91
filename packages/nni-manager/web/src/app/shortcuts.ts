/** Keys that do something anywhere in the page. None does while somebody writes, and none needs a modifier. */

import { effect } from "@preact/signals";
import { openPanel } from "./open_panel";
import { go, href } from "./router";
import { isDark, theme } from "./theme";

/** A key and what it does. */
export interface Shortcut {
  /** The key or the keys one after the other. */
  keys: string;
  /** What it does. */
  does: string;
  run: () => void;
}

/** The keys, in the order in which the help lists them. */
export const SHORTCUTS: readonly Shortcut[] = [
  { keys: "g o", does: "Go to the overview", run: () => go(href("overview")) },
  { keys: "g t", does: "Go to the trials", run: () => go(href("trials")) },
  { keys: "g c", does: "Go to the charts", run: () => go(href("charts")) },
  { keys: "g e", does: "Go to the experiments", run: () => go(href("experiments")) },
  { keys: "l", does: "Show the logs", run: () => show("logs") },
  { keys: "c", does: "Show the configuration", run: () => show("configuration") },
  { keys: "s", does: "Show the search space", run: () => show("search space") },
  {
    keys: "d",
    does: "Change between dark and light",
    run: () => {
      theme.value = isDark.value ? "light" : "dark";
    },
  },
  { keys: "?", does: "Show these keys", run: () => show("shortcuts") },
];

const WITHIN_MS = 1200;
let before = "";
let forget: ReturnType<typeof setTimeout> | undefined;

function show(name: NonNullable<typeof openPanel.value>): void {
  openPanel.value = name;
}

/** Returns the shortcut that a key completes, after the keys before it. */
export function completed(keysBefore: string, key: string): Shortcut | undefined {
  const both = keysBefore === "" ? key : `${keysBefore} ${key}`;
  return SHORTCUTS.find((one) => one.keys === both) ?? SHORTCUTS.find((one) => one.keys === key);
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isWriting(event)) return;
  const shortcut = completed(before, event.key);
  clearTimeout(forget);
  before = shortcut === undefined ? event.key : "";
  forget = setTimeout(() => {
    before = "";
  }, WITHIN_MS);
  if (shortcut === undefined) return;
  event.preventDefault();
  shortcut.run();
}

function isWriting(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  if (document.querySelector("dialog[open]") !== null) return true;
  return target.closest?.("input, textarea, select, [contenteditable]") !== null;
}

effect(() => {
  document.addEventListener("keydown", onKey);
  return () => document.removeEventListener("keydown", onKey);
});
