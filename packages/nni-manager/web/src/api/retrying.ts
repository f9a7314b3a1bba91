/** Goes on with what broke: tried again and again, after a longer while each time. */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const impatience = new EventTarget();

/** Tries everything that waits for its next time at once. */
export function tryNow(): void {
  impatience.dispatchEvent(new Event("now"));
}

/**
 * Does something without an end until that is told, anew each time it breaks.
 *
 * @param end Ends it.
 * @param attempt Does it; calls back whenever it goes well, for the next wait to be a short one.
 * @param broke Gets why it broke, undefined when it just ended.
 */
export async function keepTrying(
  end: AbortSignal,
  attempt: (wentWell: () => void) => Promise<void>,
  broke: (error: unknown) => void,
): Promise<void> {
  let wait = FIRST_WAIT_MS;
  while (!end.aborted) {
    let failure: unknown;
    try {
      await attempt(() => {
        wait = FIRST_WAIT_MS;
      });
    } catch (error) {
      failure = error;
    }
    if (end.aborted) return;
    broke(failure);
    await pause(wait, end);
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

/** Waits, at most until somebody looks at the page again, asks for it, or the network is back. */
function pause(milliseconds: number, end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = (): void => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    const until = { signal: over.signal };
    window.addEventListener("focus", done, until);
    window.addEventListener("online", done, until);
    impatience.addEventListener("now", done, until);
    end.addEventListener("abort", done, until);
  });
}
