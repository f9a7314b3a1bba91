// @vitest-environment happy-dom

import { expect, it } from "vitest";
import { ownExperiment } from "../api/page_facts";
import { href, parsePlace } from "./router";

it.each([
  ["", "overview", ownExperiment, ""],
  ["#/trials", "trials", ownExperiment, ""],
  ["#/charts/parallel", "charts", ownExperiment, "parallel"],
  ["#/e/abc/trials", "trials", "experiments/abc", ""],
  ["#/e/abc", "overview", "experiments/abc", ""],
  ["#/nothing", "overview", ownExperiment, ""],
  ["#/%zz", "overview", ownExperiment, ""],
])("%j is a place", (hash, page, experiment, rest) => {
  expect(parsePlace(hash)).toMatchObject({ page, experiment, rest });
});

it("returns the address that it reads", () => {
  const query = new URLSearchParams({ filter: 'lr > 1 and x = "#?/&"' });
  const place = parsePlace(href("trials", "a/b", query, "experiments/x y"));
  expect(place).toMatchObject({ page: "trials", rest: "a/b", experiment: "experiments/x y" });
  expect(place.query.get("filter")).toBe('lr > 1 and x = "#?/&"');
});
