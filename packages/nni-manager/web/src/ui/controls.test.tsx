// @vitest-environment happy-dom

import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EditInPlace } from "../pages/overview/EditInPlace";
import { Menu } from "./Menu";
import { Tabs } from "./Tabs";

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function button(name: string): HTMLButtonElement {
  const all = [...root.querySelectorAll("button")];
  const found = all.find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name);
  if (found === undefined) throw new Error(`no button ${name}`);
  return found;
}

function press(key: string): void {
  act(() => {
    document.activeElement?.dispatchEvent(
      new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }),
    );
  });
}

function click(name: string): void {
  act(() => button(name).click());
}

it("a menu is used by keys alone", () => {
  const chosen = vi.fn();
  const items = ["One", "Two", "Three"].map((label) => ({ label, onSelect: () => chosen(label) }));
  act(() => render(<Menu label="More" items={items} />, root));
  click("More");
  expect(document.activeElement?.textContent).toBe("One");
  press("ArrowDown");
  press("ArrowDown");
  press("ArrowDown");
  press("ArrowUp");
  expect(document.activeElement?.textContent).toBe("Three");
  act(() => (document.activeElement as HTMLElement).click());
  expect(chosen).toHaveBeenCalledWith("Three");
  expect(root.querySelector("[role=menu]")).toBeNull();
  expect(document.activeElement).toBe(button("More"));
  click("More");
  press("Escape");
  expect(root.querySelector("[role=menu]")).toBeNull();
});

it("tabs are gone through with the arrow keys", () => {
  const select = vi.fn();
  const tabs = [
    { id: "a", label: "A" },
    { id: "b", label: "B" },
  ];
  act(() =>
    render(
      <Tabs label="Form" tabs={tabs} selected="a" onSelect={select}>
        content
      </Tabs>,
      root,
    ),
  );
  button("A").focus();
  press("ArrowLeft");
  expect(select).toHaveBeenCalledWith("b");
  expect(document.activeElement).toBe(button("B"));
});

it("a value is changed in place, and what is wrong with it stands at the field", async () => {
  const save = vi.fn(async (text: string) => (text === "7" ? undefined : "not allowed"));
  act(() =>
    render(
      <dl>
        <EditInPlace label="Most" text="5" editable={true} hint="a number" onSave={save} />
      </dl>,
      root,
    ),
  );
  click("Change: Most");
  const input = root.querySelector("input") as HTMLInputElement;
  const write = async (text: string): Promise<void> => {
    act(() => {
      input.value = text;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await act(async () => {
      root.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    });
  };
  await write("x");
  expect(root.querySelector(".problem")?.textContent).toBe("not allowed");
  expect(input.getAttribute("aria-invalid")).toBe("true");
  await write(" 7 ");
  expect(save).toHaveBeenLastCalledWith("7");
  expect(root.querySelector("input")).toBeNull();
});

it("who may only look gets no button", () => {
  act(() =>
    render(
      <dl>
        <EditInPlace label="Most" text="" editable={false} hint="" onSave={async () => undefined} />
      </dl>,
      root,
    ),
  );
  expect(root.querySelector("button")).toBeNull();
  expect(root.textContent).toContain("no limit");
});
