import { describe, expect, it } from "vitest";
import { extent, interpolate, median, ranks, roundedOut, spearman } from "./statistics";

describe("ranks", () => {
  it("shares the mean rank between equal values", () => {
    expect(ranks([10, 20, 20, 5])).toEqual([2, 3.5, 3.5, 1]);
  });
});

describe("spearman", () => {
  it("is 1 and -1 for what rises and falls together", () => {
    expect(spearman([1, 2, 3, 4], [1, 4, 9, 16]).value).toBeCloseTo(1);
    expect(spearman([1, 2, 3, 4], [3, 2, 1, 0]).value).toBeCloseTo(-1);
  });

  it("agrees with the formula for values without equals", () => {
    // 1 - 6 * sum(d^2) / (n (n^2 - 1)) with d = 0, 1, -1, 0, 0
    expect(spearman([1, 2, 3, 4, 5], [1, 3, 2, 4, 5]).value).toBeCloseTo(1 - (6 * 2) / (5 * 24));
  });

  it("leaves out pairs without a number", () => {
    const result = spearman([1, 2, Number.NaN, 3, 4], [1, 2, 100, 3, Number.NaN]);
    expect(result).toEqual({ value: 1, pairs: 3 });
  });

  it("is undefined for fewer than three pairs and for a single value", () => {
    expect(spearman([1, 2], [1, 2]).value).toBeUndefined();
    expect(spearman([1, 1, 1], [1, 2, 3]).value).toBeUndefined();
  });
});

describe("interpolate", () => {
  const samples = [
    { x: 0, y: 0, value: 0 },
    { x: 1, y: 0, value: 10 },
  ];

  it("lies between the samples and near the nearest one", () => {
    expect(interpolate(samples, 0.5, 0, 1)).toBeCloseTo(5);
    expect(interpolate(samples, 0.01, 0, 1)).toBeLessThan(0.1);
  });

  it("says nothing far from all of them", () => {
    expect(interpolate(samples, 0.5, 0.9, 0.5)).toBeUndefined();
    expect(interpolate([], 0, 0, 1)).toBeUndefined();
  });

  it("takes only the nearest ones", () => {
    expect(interpolate(samples, 0.2, 0, 1, 1)).toBe(0);
  });
});

describe("ranges", () => {
  it("are those of finite values", () => {
    expect(extent([3, Number.NaN, -1, Number.POSITIVE_INFINITY])).toEqual([-1, 3]);
    expect(extent([Number.NaN])).toBeUndefined();
  });

  it("are rounded outwards", () => {
    const [low, high] = roundedOut([0.013, 0.97]);
    expect(low).toBeLessThanOrEqual(0.013);
    expect(high).toBeGreaterThanOrEqual(0.97);
    expect(roundedOut([5, 5])[1]).toBeGreaterThan(5);
  });
});

it("finds the median", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});
