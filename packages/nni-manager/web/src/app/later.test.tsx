// @vitest-environment happy-dom

import { render } from "preact";
import { afterEach, expect, it, vi } from "vitest";
import { connections } from "../api/live";
import { later } from "./later";

const room = document.createElement("div");
document.body.append(room);
afterEach(() => render(null, room));

function Part({ name }: { name: string }) {
  return <p>Hello {name}</p>;
}

function show(load: () => Promise<typeof Part>): void {
  const Later = later(load);
  render(<Later name="you" />, room);
}

const says = (text: string) => vi.waitFor(() => expect(room.textContent).toContain(text));

it("fetches a part when it is shown, once", async () => {
  const load = vi.fn(async () => Part);
  show(load);
  await says("Hello you");
  expect(load).toHaveBeenCalledTimes(1);
});

it("says that a part could not be fetched, and fetches it when the manager is back", async () => {
  const load = vi.fn(async () => Part).mockRejectedValueOnce(new TypeError("gone"));
  show(load);
  await says("could not be fetched");
  connections.value += 1;
  await says("Hello you");
});

it("tries again when somebody asks for it, as often as it takes", async () => {
  const load = vi.fn(async () => Part).mockRejectedValueOnce(new TypeError("gone"));
  load.mockRejectedValueOnce(new TypeError("gone"));
  show(load);
  for (const times of [1, 2]) {
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(times));
    await says("could not be fetched");
    room.querySelector("button")?.click();
  }
  await says("Hello you");
});
