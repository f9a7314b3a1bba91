// @vitest-environment happy-dom

import { expect, it } from "vitest";
import { openPanel } from "./open_panel";
import { place } from "./router";
import { completed, SHORTCUTS } from "./shortcuts";

function press(key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}): void {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

it("knows keys one after the other", () => {
  expect(completed("g", "t")?.does).toBe("Go to the trials");
  expect(completed("", "t")).toBeUndefined();
  expect(completed("x", "?")?.does).toBe("Show these keys");
});

it("has no key twice, and none that begins another", () => {
  const keys = SHORTCUTS.map((one) => one.keys);
  expect(new Set(keys).size).toBe(keys.length);
  for (const key of keys.filter((one) => one.length === 1)) {
    expect(keys.filter((one) => one.startsWith(`${key} `))).toEqual([]);
  }
});

it("goes where the keys say, and leaves writing and the browser's own keys alone", async () => {
  press("g");
  press("c");
  await new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }));
  expect(place.value.page).toBe("charts");
  const input = document.createElement("input");
  document.body.append(input);
  press("?", input);
  press("l", document.body, { ctrlKey: true });
  expect(openPanel.value).toBeUndefined();
  press("?");
  expect(openPanel.value).toBe("shortcuts");
});
