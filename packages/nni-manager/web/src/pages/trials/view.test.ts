import { expect, test } from "vitest";
import { narrowed, orderBy, queryOf, sortedBy, type TrialsView, viewOf } from "./view";

test("a view comes back from its address", () => {
  const view: TrialsView = {
    filter: 'status = FAILED and layer0._name in ("Conv 2", Dense) & 100%',
    sort: [
      { column: "metric.loss", descending: true },
      { column: "number", descending: false },
    ],
    open: ["abc12", "xyz_-"],
  };
  expect(viewOf(new URLSearchParams(queryOf(view).toString()))).toEqual(view);
});

test("nothing chosen is an empty address", () => {
  expect(queryOf(viewOf(new URLSearchParams())).toString()).toBe("");
});

test("an order is written as the service reads it", () => {
  expect(
    orderBy([
      { column: "objective", descending: true },
      { column: "number", descending: false },
    ]),
  ).toBe("objective desc, number");
});

test("clicks on a column go through both directions and back", () => {
  const up = sortedBy([], "lr", false);
  const down = sortedBy(up, "lr", false);
  expect(up).toEqual([{ column: "lr", descending: false }]);
  expect(down).toEqual([{ column: "lr", descending: true }]);
  expect(sortedBy(down, "lr", false)).toEqual([]);
});

test("a further column keeps those before it", () => {
  const first = [{ column: "status", descending: false }];
  const both = sortedBy(first, "lr", true);
  expect(both.map((key) => key.column)).toEqual(["status", "lr"]);
  expect(sortedBy(both, "status", true)[0]).toEqual({ column: "status", descending: true });
  expect(sortedBy(both, "x", false)).toEqual([{ column: "x", descending: false }]);
});

test("a filter that has an alternative is kept together", () => {
  expect(narrowed("", "status = FAILED")).toBe("status = FAILED");
  expect(narrowed("lr > 1", "status = FAILED")).toBe("lr > 1 and status = FAILED");
  expect(narrowed("lr > 1 or x = 2", "status = FAILED")).toBe("(lr > 1 or x = 2) and status = FAILED");
});
