import { describe, expect, it } from "vitest";
import { kindOf } from "./kinds";
import { movedTo } from "./lists";
import { isSettings, listOf, merged, numberOf, oneOf, scalesOf } from "./settings_text";

describe("settings", () => {
  it("lose what becomes empty", () => {
    expect(merged({ a: "1", b: "2" }, { a: "", c: "3" })).toEqual({ b: "2", c: "3" });
  });

  it("are checked when they are read back", () => {
    expect(isSettings({ a: "1" })).toBe(true);
    expect([null, [], { a: 1 }, "x"].map(isSettings)).toEqual([false, false, false, false]);
  });

  it("fall back when an address has something else", () => {
    expect(oneOf("b", ["a", "b"])).toBe("b");
    expect(oneOf("x", ["a", "b"])).toBe("a");
    expect(listOf('["lr","x"]')).toEqual(["lr", "x"]);
    expect([listOf("[1]"), listOf("lr"), listOf(undefined)]).toEqual([undefined, undefined, undefined]);
    expect([numberOf("1e-3"), numberOf(""), numberOf("x"), numberOf(undefined)]).toEqual([
      0.001,
      undefined,
      undefined,
      undefined,
    ]);
    expect(scalesOf('{"lr":"linear","x":"odd"}')).toEqual({ lr: "linear", x: "automatic" });
    expect(scalesOf("{")).toEqual({});
    expect(kindOf("parallel")).toBe("parallel");
    expect(kindOf("nonsense")).toBe("history");
  });
});

it("moves a name within a list", () => {
  expect(movedTo(["a", "b", "c"], "a", 1)).toEqual(["b", "a", "c"]);
  expect(movedTo(["a", "b", "c"], "c", -1)).toEqual(["c", "a", "b"]);
  expect(movedTo(["a", "b", "c"], "a", 9)).toEqual(["b", "c", "a"]);
});
