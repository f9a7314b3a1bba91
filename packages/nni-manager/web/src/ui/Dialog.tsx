import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button } from "./Button";

/** What a dialog is made of. */
export interface DialogProps {
  /** Its heading. */
  title: string;
  /** Called when it is to go: Escape, a click beside it, the cross. */
  onClose: () => void;
  /** narrow for a question, wide for a chart or a table, side for a panel at the right edge. */
  size?: "narrow" | "normal" | "wide" | "side";
  /** The buttons at its foot. */
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** A window in front of the page. Focus stays in it, and goes back to where it was when it closes. */
export function Dialog({ title, onClose, size = "normal", actions, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current?.showModal();
    return () => {
      element.current?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does what a click beside it does
    <dialog
      ref={element}
      class={`dialog ${size}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose();
      }}
    >
      <div class="dialog-box">
        <header>
          <h2 id={heading}>{title}</h2>
          <Button kind="quiet" icon="cross" label="Close" onClick={onClose} />
        </header>
        <div class="dialog-body">{children}</div>
        {actions !== undefined && <footer>{actions}</footer>}
      </div>
    </dialog>
  );
}
