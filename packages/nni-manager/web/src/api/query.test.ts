// @vitest-environment happy-dom

import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Asker } from "./query";

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}

describe("Asker", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("asks once at a time, and once more for all that changed meanwhile", async () => {
    const answers = [deferred<number>(), deferred<number>()];
    const ask = vi.fn(() => (answers[ask.mock.calls.length - 1] as (typeof answers)[0]).promise);
    const seen: number[] = [];
    const asker = new Asker(
      ask,
      (data) => seen.push(data),
      () => {},
    );
    asker.ask();
    asker.ask();
    asker.ask();
    expect(ask).toHaveBeenCalledTimes(1);
    answers[0]?.resolve(1);
    await vi.advanceTimersByTimeAsync(999);
    expect(ask).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(ask).toHaveBeenCalledTimes(2);
    answers[1]?.resolve(2);
    await vi.advanceTimersByTimeAsync(5000);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(seen).toEqual([1, 2]);
  });

  it("says why there is no answer, and asks again when that is wanted", async () => {
    const ask = vi.fn(async () => {
      throw new ConnectError("no such column", Code.InvalidArgument);
    });
    const problems: string[] = [];
    const asker = new Asker(
      ask,
      () => {},
      (problem) => problems.push(problem),
    );
    asker.ask();
    await vi.advanceTimersByTimeAsync(2000);
    asker.ask();
    await vi.advanceTimersByTimeAsync(2000);
    expect(problems).toEqual(["no such column", "no such column"]);
  });

  it("shows nothing after its end, and ends the call", async () => {
    const answer = deferred<number>();
    let signal: AbortSignal | undefined;
    const show = vi.fn();
    const asker = new Asker(
      (given) => {
        signal = given;
        return answer.promise;
      },
      show,
      show,
    );
    asker.ask();
    asker.ask();
    asker.end();
    expect(signal?.aborted).toBe(true);
    answer.resolve(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(show).not.toHaveBeenCalled();
  });
});
