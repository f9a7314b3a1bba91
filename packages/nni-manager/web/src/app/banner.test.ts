// @vitest-environment happy-dom

import { expect, it } from "vitest";
import { causeOf } from "./Banner";

it("says the first line of a text", () => {
  expect(causeOf("no GPU is free\nasked for 2\n")).toBe("no GPU is free");
});

it("says what was raised", () => {
  const text = `the tuner failed:
Traceback (most recent call last):
  File "tuner.py", line 3, in generate_parameters
    raise ValueError("no more: sorry")
ValueError: no more: sorry`;
  expect(causeOf(text)).toBe("the tuner failed: ValueError: no more: sorry");
});

it("cuts off what is long", () => {
  expect(causeOf("x".repeat(1000))).toHaveLength(400);
});
