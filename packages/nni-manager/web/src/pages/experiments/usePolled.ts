import { useEffect, useRef, useState } from "preact/hooks";
import type { Answer } from "../../api/query";
import { Asker } from "../../api/query";

const EVERY_MS = 10_000;

/**
 * Asks now, when the question changes, and every ten seconds while somebody looks: no stream tells of other
 * experiments than the one that is shown.
 *
 * @param question Names what is asked; another text is another question.
 * @param ask Asks it.
 */
export function usePolled<T>(question: string, ask: (signal: AbortSignal) => Promise<T>): Answer<T> {
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
    const askIfSeen = (): void => {
      if (document.visibilityState === "visible") asker.ask();
    };
    const timer = setInterval(askIfSeen, EVERY_MS);
    document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
      asker.end();
    };
  }, [question]);
  return { ...answer, refresh: refresh.current };
}
