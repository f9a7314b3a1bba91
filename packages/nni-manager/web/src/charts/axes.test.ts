import { describe, expect, it } from "vitest";
import { hasPlace, placeNotes, scaleOf, spansDecades } from "./axes";
import { column } from "./made_tables";

describe("scaleOf", () => {
  it("follows the search space", () => {
    expect(scaleOf(column("lr", [0.1, 0.2], { logarithmic: true }))).toBe("logarithmic");
    expect(scaleOf(column("lr", [0.1, 0.2]))).toBe("linear");
  });

  it("is logarithmic for values more than three powers of ten apart", () => {
    expect(scaleOf(column("loss", [0.001, 2]))).toBe("logarithmic");
    expect(scaleOf(column("loss", [0.001, 1]))).toBe("linear");
    expect(scaleOf(column("loss", [-1, 0.001, 2]))).toBe("linear");
  });

  it("does what the reader wants unless no value has a logarithm", () => {
    expect(scaleOf(column("lr", [0.1, 0.2], { logarithmic: true }), "linear")).toBe("linear");
    expect(scaleOf(column("x", [1, 2]), "logarithmic")).toBe("logarithmic");
    expect(scaleOf(column("x", [-1, 0]), "logarithmic")).toBe("linear");
  });

  it("knows categories", () => {
    expect(scaleOf(column("optimizer", ["adam", "sgd"]), "logarithmic")).toBe("category");
  });
});

describe("values without a place", () => {
  it("are NaN, the infinities, and what has no logarithm", () => {
    expect([1, 0, Number.NaN, Number.POSITIVE_INFINITY].map((value) => hasPlace(value, "linear"))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(hasPlace(0, "logarithmic")).toBe(false);
    expect(spansDecades([Number.NaN, Number.POSITIVE_INFINITY])).toBe(false);
  });

  it("are told in sentences", () => {
    const loss = column("loss", [1, 0, Number.NaN, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(placeNotes(loss, "logarithmic")).toEqual([
      "2 trials have no value of loss.",
      "1 trial has an infinite loss.",
      "1 trial has a loss at or below 0, which has no place on a logarithmic axis.",
    ]);
    expect(placeNotes(column("loss", [1, 2]), "linear")).toEqual([]);
  });
});
