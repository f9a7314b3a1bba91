// @vitest-environment happy-dom

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { FilterBox } from "./FilterBox";

const root = document.createElement("div");
const onApply = vi.fn<(filter: string) => void>();

function show(value: string): void {
  act(() => render(<FilterBox value={value} onApply={onApply} problem={undefined} columns={[]} />, root));
}

function box(): HTMLInputElement {
  return root.querySelector("input") as HTMLInputElement;
}

function type(text: string): void {
  act(() => {
    box().value = text;
    box().dispatchEvent(new Event("input", { bubbles: true }));
  });
}

function pass(milliseconds: number): void {
  act(() => {
    vi.advanceTimersByTime(milliseconds);
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  document.body.append(root);
  onApply.mockReset();
  show("");
});

afterEach(() => {
  act(() => render(null, root));
  root.remove();
  vi.useRealTimers();
});

it("applies what was typed once nobody types any more", () => {
  type("lr >");
  pass(500);
  type("lr > 1 ");
  pass(500);
  expect(onApply).not.toHaveBeenCalled();
  pass(200);
  expect(onApply.mock.calls).toEqual([["lr > 1"]]);
});

it("applies it once with Enter", () => {
  type("lr > 1");
  act(() => {
    box().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  });
  expect(onApply.mock.calls).toEqual([["lr > 1"]]);
  pass(10_000);
  expect(onApply).toHaveBeenCalledTimes(1);
});

it("does not replace a filter that came from elsewhere with what was typed before", () => {
  type("lr > 1");
  pass(599);
  show("status = FAILED");
  expect(box().value).toBe("status = FAILED");
  pass(10_000);
  expect(onApply).not.toHaveBeenCalled();
});

it("applies nothing once it is gone", () => {
  type("lr > 1");
  act(() => render(null, root));
  pass(10_000);
  expect(onApply).not.toHaveBeenCalled();
});
