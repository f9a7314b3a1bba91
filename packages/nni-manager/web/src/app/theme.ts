/** Dark or light: the system's wish, or what the reader chose. */

import { computed, effect, signal } from "@preact/signals";
import { remembered } from "../ui/storage";

/** What can be chosen. */
export const THEMES = ["system", "light", "dark"] as const;

/** A choice of colours. */
export type Theme = (typeof THEMES)[number];

/** What the reader chose. */
export const theme = remembered<Theme>("theme", "system", (value): value is Theme =>
  THEMES.includes(value as Theme),
);

const darkSystem = window.matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(darkSystem.matches);
darkSystem.addEventListener("change", (event) => {
  systemIsDark.value = event.matches;
});

/** Whether the page is dark at this moment; charts redraw when it changes. */
export const isDark = computed(() =>
  theme.value === "system" ? systemIsDark.value : theme.value === "dark",
);

effect(() => {
  document.documentElement.dataset["theme"] = isDark.value ? "dark" : "light";
});
