import { expect, test } from "vitest";
import { ansiPieces } from "./ansi";

test("colours become classes", () => {
  expect(ansiPieces("\u001b[31mred\u001b[0m plain \u001b[1;92mbright\u001b[0m")).toEqual([
    { text: "red", class: "ansi-red" },
    { text: " plain ", class: "" },
    { text: "bright", class: "ansi-bright-green ansi-bold" },
  ]);
});

test("markup stays text", () => {
  expect(ansiPieces("<img src=x onerror=alert(1)>")).toEqual([
    { text: "<img src=x onerror=alert(1)>", class: "" },
  ]);
});

test("a progress bar shows its last state", () => {
  expect(ansiPieces("10 %\r50 %\r100 %\r").map((piece) => piece.text)).toEqual(["100 %"]);
});

test("a colour that is none of the sixteen leaves the text plain", () => {
  expect(ansiPieces("\u001b[38;5;200mpink\u001b[0m")).toEqual([{ text: "pink", class: "" }]);
});
