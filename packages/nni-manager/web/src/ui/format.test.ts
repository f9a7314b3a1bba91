import { expect, it } from "vitest";
import { formatBytes, formatDuration, formatNumber, formatShare, formatTime } from "./format";
import { counted, shortened, visible } from "./text";

it.each([
  [0.1234567891, "0.123457"],
  [1e-9, "1e-9"],
  [123456789, "123456789"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "∞"],
  [Number.NEGATIVE_INFINITY, "-∞"],
  [-0.5, "-0.5"],
])("writes the number %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

it.each([
  [0.0123, "12 ms"],
  [5.25, "5.3 s"],
  [59.6, "1 min 0 s"],
  [3725, "1 h 2 min"],
  [90_000, "1 d 1 h"],
  [Number.NaN, ""],
])("writes the duration %s", (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it("writes sizes, shares and times", () => {
  expect(formatBytes(999)).toBe("999 B");
  expect(formatBytes(1_234_567)).toBe("1.23 MB");
  expect(formatShare(0.33333)).toBe("33.3 %");
  const noon = new Date(2026, 4, 1, 12, 3, 4);
  expect(formatTime(noon.getTime() / 1000, noon)).toBe("12:03:04");
  expect(formatTime(noon.getTime() / 1000, new Date(2026, 4, 2))).toBe("2026-05-01 12:03:04");
});

// Whatever people and their programs write, no character of it may turn the order of the text around it.
it.each([..."\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"])(
  "shows the control character %#",
  (control) => {
    const shown = visible(`a${control}b`);
    expect(shown).toBe(`a\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}b`);
  },
);

it("leaves other text alone", () => {
  const text = "\u03b1 学習 \u05d0\u05d1 👩\u200d🔬 <b>&amp;</b>";
  expect(visible(text)).toBe(text);
  expect(shortened("abcdef", 4)).toBe("abc…");
  expect(counted(1, "trial")).toBe("1 trial");
  expect(counted(2000, "trial")).toBe("2,000 trials");
});
