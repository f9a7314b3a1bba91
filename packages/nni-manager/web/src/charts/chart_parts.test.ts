// @vitest-environment happy-dom

import { describe, expect, it } from "vitest";
import { cursorAt, moved } from "./cursor";
import { sentenceOf } from "./picture";
import { fileName, titledSvg } from "./save";
import { themeOf } from "./theme";
import { tooltipElement } from "./tooltip";
import { scaled, shifted, whole } from "./zoom";

const marks = (group: number, size: number) =>
  Array.from({ length: size }, (_, dataIndex) => ({ seriesIndex: group, dataIndex }));

describe("the cursor", () => {
  const groups = [marks(0, 3), [], marks(2, 30)];

  it("begins with the first group that has marks", () => {
    expect(moved(groups, undefined, "ArrowRight")).toEqual({ group: 0, place: 0 });
    expect(moved(groups, undefined, "End")).toEqual({ group: 0, place: 2 });
    expect(moved([[]], undefined, "ArrowRight")).toBeUndefined();
  });

  it("moves within a group and stays in it", () => {
    expect(moved(groups, { group: 0, place: 1 }, "ArrowRight")).toEqual({ group: 0, place: 2 });
    expect(moved(groups, { group: 0, place: 2 }, "ArrowRight")).toEqual({ group: 0, place: 2 });
    expect(moved(groups, { group: 2, place: 4 }, "PageDown")).toEqual({ group: 2, place: 14 });
    expect(moved(groups, { group: 2, place: 4 }, "Home")).toEqual({ group: 2, place: 0 });
    expect(moved(groups, { group: 2, place: 4 }, "End")).toEqual({ group: 2, place: 29 });
  });

  it("goes to the same share of the next group that has marks", () => {
    expect(moved(groups, { group: 0, place: 2 }, "ArrowDown")).toEqual({ group: 2, place: 29 });
    expect(moved(groups, { group: 2, place: 0 }, "ArrowUp")).toEqual({ group: 0, place: 0 });
    expect(moved(groups, { group: 2, place: 0 }, "ArrowDown")).toEqual({ group: 2, place: 0 });
  });

  it("lives on when marks go away, and leaves other keys alone", () => {
    expect(moved([marks(0, 2)], { group: 0, place: 9 }, "ArrowRight")).toEqual({ group: 0, place: 1 });
    expect(moved([[], marks(1, 2)], { group: 0, place: 9 }, "ArrowRight")).toEqual({ group: 1, place: 0 });
    expect(moved(groups, undefined, "a")).toBeUndefined();
  });

  it("finds what was pointed at", () => {
    expect(cursorAt(groups, { seriesIndex: 2, dataIndex: 7 })).toEqual({ group: 2, place: 7 });
    expect(cursorAt(groups, { seriesIndex: 5, dataIndex: 0 })).toBeUndefined();
  });
});

describe("zoom", () => {
  it("grows and shrinks around the middle, within the whole", () => {
    expect(scaled({}, ["x"], 0.5)).toEqual({ x: { start: 25, end: 75 } });
    expect(scaled({ x: { start: 0, end: 50 } }, ["x"], 4)).toEqual({ x: { start: 0, end: 100 } });
    const small = scaled({ x: { start: 50, end: 50 } }, ["x"], 0.5);
    expect((small["x"]?.end ?? 0) - (small["x"]?.start ?? 0)).toBeGreaterThan(0);
  });

  it("moves as far as there is something", () => {
    expect(shifted({ x: { start: 10, end: 30 } }, ["x"], 0.5)).toEqual({ x: { start: 20, end: 40 } });
    expect(shifted({ x: { start: 10, end: 30 } }, ["x"], -5)).toEqual({ x: { start: 0, end: 20 } });
    expect(whole(["x", "y"])).toEqual({ x: { start: 0, end: 100 }, y: { start: 0, end: 100 } });
  });
});

describe("texts", () => {
  const description = {
    title: "Trial 1",
    lines: [["name", "<img src=x>"] as [string, string], ["", "the best so far"] as [string, string]],
  };

  it("are one sentence for screen readers", () => {
    expect(sentenceOf(description)).toBe("Trial 1, name <img src=x>, the best so far");
  });

  it("are text in tooltips, never elements", () => {
    const element = tooltipElement(description);
    expect(element.querySelector("img")).toBeNull();
    expect(element.textContent).toContain("<img src=x>");
  });

  it("are escaped in saved drawings, and make safe file names", () => {
    const svg = titledSvg("<g/>", 10, 20, { title: '<a> & "b"', text: "red", background: "blue", font: "f" });
    expect(svg).toContain("&lt;a&gt; &amp; &quot;b&quot;");
    expect(svg).toContain('height="64"');
    expect(fileName("metric.x/../é by trial", "png")).toBe("metric-x-é-by-trial.png");
    expect(fileName("///", "svg")).toBe("chart.svg");
  });
});

it("ends the scale of colours dark on white and bright on black", () => {
  expect(themeOf((name) => name, false, false).ramp.at(-1)).toBe("--scale-1");
  expect(themeOf((name) => name, true, false).ramp.at(-1)).toBe("--scale-6");
});
