// @vitest-environment happy-dom

import { create } from "@bufbuild/protobuf";
import { expect, test, vi } from "vitest";
import { TrialSchema } from "../../generated/nni_proto/v1/trial_pb";
import { type FetchPage, PAGE_SIZE, TrialPages } from "./trial_pages";

function trials(skip: number, total: number) {
  const count = Math.min(PAGE_SIZE, total - skip);
  return Array.from({ length: count }, (_, at) => create(TrialSchema, { sequenceNumber: skip + at }));
}

test("only what is looked at is fetched", async () => {
  const fetch = vi.fn<FetchPage>(async (skip) => ({
    trials: trials(skip, 20_000),
    total: 20_000,
    revision: 1n,
  }));
  const pages = new TrialPages(fetch, () => {});
  pages.loadWanted();
  await vi.waitFor(() => expect(pages.loaded).toBe(true));
  expect(pages.total).toBe(20_000);
  expect(pages.at(15_050)).toBeUndefined();
  await vi.waitFor(() => expect(pages.at(15_050)?.sequenceNumber).toBe(15_050));
  expect(fetch.mock.calls.map(([skip]) => skip)).toEqual([0, 15_000]);
  pages.end();
});

test("a refresh fetches what is in view and keeps it until then", async () => {
  let total = 150;
  const fetch = vi.fn<FetchPage>(async (skip) => ({
    trials: trials(skip, total),
    total,
    revision: BigInt(total),
  }));
  const pages = new TrialPages(fetch, () => {});
  pages.at(120);
  pages.loadWanted();
  await vi.waitFor(() => expect(pages.at(120)).toBeDefined());
  expect(fetch).toHaveBeenCalledTimes(2);
  pages.at(120);
  total = 160;
  pages.refresh(150n);
  expect(fetch).toHaveBeenCalledTimes(2);
  pages.refresh(151n);
  expect(pages.at(120)).toBeDefined();
  await vi.waitFor(() => expect(pages.total).toBe(160));
  expect(pages.at(155)?.sequenceNumber).toBe(155);
  pages.end();
});

test("a failure is kept, and asked again by a refresh only", async () => {
  let broken = true;
  const fetch = vi.fn<FetchPage>(async (skip) => {
    if (broken) throw new Error("column 3: no such column");
    return { trials: trials(skip, 1), total: 1, revision: 5n };
  });
  const pages = new TrialPages(fetch, () => pages.loadWanted());
  pages.loadWanted();
  await vi.waitFor(() => expect(pages.problem).toContain("column 3"));
  expect(fetch).toHaveBeenCalledTimes(1);
  broken = false;
  pages.refresh(5n);
  await vi.waitFor(() => expect(pages.problem).toBeUndefined());
  pages.end();
});
