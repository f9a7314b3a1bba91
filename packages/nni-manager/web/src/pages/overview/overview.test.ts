import { expect, it } from "vitest";
import { limitProblem } from "./limit_text";
import { meanDuration } from "./mean_duration";

it.each([
  ["1", true, undefined],
  ["", false, undefined],
  ["", true, "is needed"],
  ["0", false, "not a whole number"],
  ["-1", false, "not a whole number"],
  ["1.5", false, "not a whole number"],
  ["abc", false, "not a whole number"],
  ["2147483648", false, "at most"],
])("%j is checked as a limit", (text, required, problem) => {
  const found = limitProblem(text, { required });
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(problem);
});

it("takes the mean of the durations that are known", () => {
  expect(meanDuration([1, Number.NaN, 3])).toBe(2);
  expect(meanDuration([Number.NaN])).toBeUndefined();
});
