import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, Asker } from "../../api/query";

/** How often other experiments are looked at. */
export const USUAL_MS = 10_000;

/**
 * Asks now, when the question changes, and again and again while somebody looks: no stream tells of other
 * experiments than the one that is shown.
 *
 * @param question Names what is asked; another text is another question.
 * @param ask Asks it.
 * @param everyMs How long it takes from one time to the next.
 */
export function usePolled<T>(
  question: string,
  ask: (signal: AbortSignal) => Promise<T>,
  everyMs = USUAL_MS,
): Answer<T> {
  const [answer, setAnswer] = useState<Omit<Answer<T>, "refresh">>({
    data: undefined,
    problem: undefined,
    loading: true,
  });
  const newestAsk = useRef(ask);
  newestAsk.current = ask;
  const refresh = useRef(() => {});
  useEffect(() => {
    setAnswer((before) => ({ ...before, loading: true }));
    const asker = new Asker(
      (signal) => newestAsk.current(signal),
      (data) => setAnswer({ data, problem: undefined, loading: false }),
      (problem) => setAnswer((before) => ({ ...before, problem, loading: false })),
    );
    refresh.current = () => asker.ask();
    asker.ask();
    return () => asker.end();
  }, [question]);
  useEffect(() => {
    const askIfSeen = (): void => {
      if (document.visibilityState === "visible") refresh.current();
    };
    const timer = setInterval(askIfSeen, everyMs);
    document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
    };
  }, [everyMs]);
  return { ...answer, refresh: refresh.current };
}
