import { signal } from "@preact/signals";
import { Button } from "./Button";
import { Icon } from "./Icon";
import { visible } from "./text";

interface Toast {
  id: number;
  text: string;
  kind: "done" | "failed";
}

const toasts = signal<readonly Toast[]>([]);
const SHOWN_MS = 6000;
const MOST = 4;
let next = 0;

/**
 * Says what became of something. A failure stays until it is closed.
 *
 * @param text What to say.
 * @param kind Whether it was done or failed.
 */
export function toast(text: string, kind: "done" | "failed" = "done"): void {
  const one = { id: next++, text, kind };
  toasts.value = [...toasts.value, one].slice(-MOST);
  if (kind === "done") setTimeout(() => close(one.id), SHOWN_MS);
}

function close(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

/** Shows what toast says; the frame has it once. */
export function ToastHost() {
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Results of actions">
      {toasts.value.map((one) => (
        <div key={one.id} class={`toast ${one.kind}`}>
          <Icon name={one.kind === "done" ? "check" : "warning"} />
          <span>{visible(one.text)}</span>
          <Button kind="quiet" icon="cross" label="Close" onClick={() => close(one.id)} />
        </div>
      ))}
    </div>
  );
}
