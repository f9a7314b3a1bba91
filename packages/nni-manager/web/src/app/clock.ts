import { computed, effect, signal } from "@preact/signals";
import { experiment } from "../api/live";

/** The time, in milliseconds since 1970, once a second while somebody looks at the page. */
export const now = signal(Date.now());

/** The time in seconds since 1970, for what is too much to draw anew every second: it steps by ten. */
export const lately = computed(() => Math.floor(now.value / 10_000) * 10);

let readAt = Date.now();

/** Returns how many seconds ago the experiment that is shown was read. */
export function secondsSinceRead(): number {
  return Math.max(0, (now.value - readAt) / 1000);
}

effect(() => {
  experiment.value;
  readAt = Date.now();
});

setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);
