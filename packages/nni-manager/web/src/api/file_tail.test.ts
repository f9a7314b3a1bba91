// @vitest-environment happy-dom

import { expect, test } from "vitest";
import { MOST_LINES, TailText } from "./file_tail";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("pieces become lines, and a line goes on", () => {
  const text = new TailText();
  text.add(bytes("one\ntw"), 0);
  text.add(bytes("o\nthree"), 6);
  expect(text.lines).toEqual(["one", "two", "three"]);
  expect(text.cut).toBe(false);
});

test("a character may be cut in two", () => {
  const text = new TailText();
  const all = bytes("ä");
  text.add(all.slice(0, 1), 0);
  text.add(all.slice(1), 1);
  expect(text.lines).toEqual(["ä"]);
});

test("a file that is cut begins with a whole line", () => {
  const text = new TailText();
  text.add(bytes("half\nwhole\n"), 100);
  expect(text.lines).toEqual(["whole", ""]);
  expect(text.cut).toBe(true);
});

test("a file that was begun anew is shown anew", () => {
  const text = new TailText();
  text.add(bytes("old\n"), 0);
  text.add(bytes("new\n"), 0);
  expect(text.lines).toEqual(["new", ""]);
});

test("no more lines are kept than a browser bears", () => {
  const text = new TailText();
  text.add(bytes("x\n".repeat(MOST_LINES + 10)), 0);
  expect(text.lines.length).toBe(MOST_LINES);
  expect(text.cut).toBe(true);
});
