/** Parts of the page that are fetched when somebody goes there, and fetched again when that failed. */

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { connection, connections } from "../api/live";
import { tryNow } from "../api/retrying";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";

const RELOADED = "nni loaded again at";
const LEAST_BETWEEN_RELOADS_MS = 60_000;

/** How a part of the page that is fetched comes along. */
export interface Fetched<Part> {
  part: Part | undefined;
  /** Whether the last try failed. */
  failed: boolean;
  again: () => void;
}

/**
 * Fetches a part of the page, once the manager can be reached: a browser that failed to fetch a part says so
 * again without asking anew, until the page is loaded again.
 *
 * @param load Fetches it; always the same function.
 * @param wanted Whether it is needed yet.
 */
export function usePart<Part>(load: () => Promise<Part>, wanted = true): Fetched<Part> {
  const [part, setPart] = useState<Part>();
  const [failedAt, setFailedAt] = useState<number>();
  const [tries, setTries] = useState(0);
  const needed = wanted && part === undefined;
  const { state } = connection.value;
  const away = state === "reconnecting" || state === "ended";
  useEffect(() => {
    if (!needed || away) return;
    let over = false;
    const count = connections.peek();
    load().then(
      (found) => {
        // A function in a state's setter would be called.
        if (!over) setPart(() => found);
      },
      () => {
        if (over) return;
        setFailedAt(count);
        if (tries > 0 && connection.peek().state === "live") loadPageAgain();
      },
    );
    return () => {
      over = true;
    };
  }, [needed, away, tries]);
  const again = (): void => {
    setFailedAt(undefined);
    setTries((count) => count + 1);
  };
  const isBack = failedAt !== undefined && connections.value !== failedAt;
  useEffect(() => {
    if (isBack) again();
  }, [isBack]);
  return { part, failed: needed && (failedAt !== undefined || away), again };
}

/** Loads the page again, unless that was just done and did not help. */
function loadPageAgain(): void {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < LEAST_BETWEEN_RELOADS_MS) return;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  window.location.reload();
}

/** Returns a component that is fetched when it is shown for the first time. */
export function later<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): (props: Props) => JSX.Element {
  let loaded: ComponentType<Props> | undefined;
  const remember = async (): Promise<ComponentType<Props>> => {
    loaded = await load();
    return loaded;
  };
  return function Later(props: Props) {
    const { part, failed, again } = usePart(remember, loaded === undefined);
    const Part = loaded ?? part;
    if (Part !== undefined) return <Part {...props} />;
    return failed ? <NotFetched onAgain={again} /> : <p class="quiet">Loading ...</p>;
  };
}

/** Says that a part of the page could not be fetched, and what can be done. */
export function NotFetched({ onAgain }: { onAgain: () => void }) {
  return (
    <div class="note warning" role="alert">
      <Icon name="warning" />
      <div class="note-text">
        <strong>This part of the page could not be fetched from the manager.</strong> It comes by itself when
        the manager is back. When the manager is of another version by now, loading the page again helps.
        <div class="note-actions">
          <Button
            icon="refresh"
            onClick={() => {
              tryNow();
              onAgain();
            }}
          >
            Try again
          </Button>
          <Button kind="quiet" onClick={() => window.location.reload()}>
            Load the page again
          </Button>
        </div>
      </div>
    </div>
  );
}
