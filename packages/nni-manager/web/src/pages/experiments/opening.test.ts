// @vitest-environment happy-dom

import { create } from "@bufbuild/protobuf";
import { afterEach, expect, it, vi } from "vitest";
import { client } from "../../api/client";
import { ownExperiment } from "../../api/page_facts";
import { place } from "../../app/router";
import { ExperimentSummarySchema } from "../../generated/nni_proto/v1/experiment_summary_pb";
import { listedOf } from "./listed";
import { open } from "./opening";

const HERE = `${window.location.protocol}//${window.location.hostname}:9/sign-in?code=x`;
const ELSEWHERE = "http://elsewhere.example:9/sign-in?code=x";

function listed(running: boolean, own = false) {
  return listedOf(create(ExperimentSummarySchema, { name: "experiments/abc", running, own }));
}

function tab() {
  return { opener: window as unknown, close: vi.fn(), location: { replace: vi.fn() } };
}

function opens(made: ReturnType<typeof tab> | null, url: string | Error): void {
  vi.spyOn(window, "open").mockReturnValue(made as unknown as Window);
  const answer = vi.spyOn(client, "createSignInCode");
  if (typeof url === "string") answer.mockResolvedValue({ url } as never);
  else answer.mockRejectedValue(url);
}

afterEach(() => {
  vi.restoreAllMocks();
});

it("shows those that no other manager runs in this page", async () => {
  for (const [one, name] of [
    [listed(false), "experiments/abc"],
    [listed(true, true), ownExperiment],
  ] as const) {
    const moved = new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }));
    expect(await open(one)).toBeUndefined();
    await moved;
    expect(place.value).toMatchObject({ page: "overview", experiment: name });
  }
});

it("sends a new tab to the manager that runs one, without a way back to this page", async () => {
  const made = tab();
  opens(made, HERE);
  expect(await open(listed(true))).toBeUndefined();
  expect(made.location.replace).toHaveBeenCalledWith(HERE);
  expect(made.opener).toBeNull();
});

it("returns the link where no tab may be opened, or another name is in the address bar", async () => {
  opens(null, HERE);
  expect(await open(listed(true))).toBe(HERE);
  const made = tab();
  opens(made, ELSEWHERE);
  expect(await open(listed(true))).toBe(ELSEWHERE);
  expect(made.close).toHaveBeenCalled();
  expect(made.location.replace).not.toHaveBeenCalled();
});

it("leaves no empty tab behind when there is no link", async () => {
  const made = tab();
  opens(made, new Error("no manager answers"));
  await expect(open(listed(true))).rejects.toThrow("no manager answers");
  expect(made.close).toHaveBeenCalled();
});
