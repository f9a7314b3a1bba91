import { expect, it } from "vitest";
import { linesWith, stretches } from "./find";

it("finds lines in whatever case", () => {
  expect(linesWith(["Error: a", "fine", "an error", ""], " ERROR ")).toEqual([0, 2]);
  expect(linesWith(["a", "b"], " ")).toEqual([]);
});

it("cuts a text where it was found, and leaves none of it out", () => {
  expect(stretches("loss=1 Loss=2", "loss")).toEqual([
    { text: "loss", found: true },
    { text: "=1 ", found: false },
    { text: "Loss", found: true },
    { text: "=2", found: false },
  ]);
  expect(stretches("none", "x")).toEqual([{ text: "none", found: false }]);
  expect(stretches("İx", "x")).toEqual([{ text: "İx", found: false }]);
});
