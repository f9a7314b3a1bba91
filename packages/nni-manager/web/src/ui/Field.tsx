import type { ComponentChildren, InputHTMLAttributes } from "preact";
import { useId } from "preact/hooks";

/** What a field is made of. */
export interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "label" | "onInput"> {
  /** What is entered. */
  label: string;
  value: string;
  /** Gets the text with every key. */
  onInput: (value: string) => void;
  /** What is wrong with it, undefined for nothing. */
  problem?: string | undefined;
  /** What helps to fill it in. */
  hint?: ComponentChildren;
}

/** A line of text with its label, a hint and what is wrong with it. */
export function Field({ label, value, onInput, problem, hint, ...others }: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        type="text"
        autocomplete="off"
        spellcheck={false}
        {...others}
        id={id}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-hint ${id}-problem`}
      />
      <div id={`${id}-hint`} class="hint">
        {hint}
      </div>
      <div id={`${id}-problem`} class="problem" role="alert">
        {problem}
      </div>
    </div>
  );
}
