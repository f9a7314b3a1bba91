import { describe, expect, it } from "vitest";
import { column } from "./made_tables";
import { filterOf, nameInFilter, rowsInside, trialQuery } from "./selection";

const lr = column("lr", [0.0012345678, 0.1, Number.NaN]);
const optimizer = column("optimizer", ["adam", 'a "b"', "sgd"]);

describe("filterOf", () => {
  it("writes stretches so that nothing at their edges is lost", () => {
    const filter = filterOf([{ column: lr, ranges: [[0.0012345678, 0.1]] }]);
    expect(filter).toBe("lr >= 0.00123456 and lr <= 0.1");
  });

  it("writes whole numbers as such", () => {
    const number = column("number", [1, 2, 3]);
    expect(filterOf([{ column: number, ranges: [[0.7, 2.2]] }])).toBe("number >= 1 and number <= 2");
  });

  it("writes categories in quotation marks", () => {
    expect(filterOf([{ column: optimizer, ranges: [[-0.4, 1.3]] }])).toBe(
      'optimizer in ("adam", "a \\"b\\"")',
    );
    expect(filterOf([{ column: optimizer, ranges: [[0.2, 0.8]] }])).toBe("");
  });

  it("joins several stretches and several columns", () => {
    const choices = [
      { column: lr, ranges: [[0, 0.5] as [number, number], [1, 2] as [number, number]] },
      { column: optimizer, ranges: [[0, 0] as [number, number]] },
    ];
    expect(filterOf(choices)).toBe(
      '((lr >= 0 and lr <= 0.5) or (lr >= 1 and lr <= 2)) and optimizer in ("adam")',
    );
    expect(filterOf([])).toBe("");
  });

  it("quotes names that are no plain names", () => {
    expect(nameInFilter("layer0.units")).toBe("layer0.units");
    expect(nameInFilter("learning rate")).toBe('"learning rate"');
    expect(nameInFilter("in")).toBe('"in"');
  });
});

it("finds the rows inside; a row without a value is in no stretch", () => {
  expect(rowsInside([{ column: lr, ranges: [[0, 1]] }], 3)).toEqual([0, 1]);
  expect(rowsInside([{ column: lr, ranges: [] }], 3)).toEqual([0, 1, 2]);
});

it("opens a trial by its id", () => {
  expect(trialQuery("ab").toString()).toBe("filter=id+%3D+%22ab%22&open=ab");
});
