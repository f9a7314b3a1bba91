import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import { Button } from "../../ui/Button";
import { completed, problemAt, suggestions } from "./filter_words";

/** What the box is made of. */
export interface FilterBoxProps {
  /** The filter that is applied. */
  value: string;
  /** Gets a filter to apply: after Enter, and when nobody has typed for a moment. */
  onApply: (filter: string) => void;
  /** What the service refused in the filter applied, undefined for nothing. */
  problem: string | undefined;
  columns: readonly Column[];
}

const PAUSE_MS = 600;

/** Where a filter is written; suggests the names of columns and their values. */
export function FilterBox({ value, onApply, problem, columns }: FilterBoxProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [offered, setOffered] = useState<string[]>([]);
  const [marked, setMarked] = useState(-1);
  const apply = useRef(onApply);
  apply.current = onApply;
  const pause = useRef<ReturnType<typeof setTimeout>>();
  // Before anything else can happen: what was typed before another filter came does not replace that one.
  useLayoutEffect(() => {
    clearTimeout(pause.current);
    if (value.trim() !== text.trim()) setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(pause.current), []);

  function type(next: string): void {
    setText(next);
    clearTimeout(pause.current);
    pause.current = setTimeout(() => apply.current(next.trim()), PAUSE_MS);
  }

  function applyNow(next: string): void {
    clearTimeout(pause.current);
    apply.current(next.trim());
  }

  function change(next: string): void {
    type(next);
    setOffered(suggestions(next, input.current?.selectionStart ?? next.length, columns));
    setMarked(-1);
  }

  function choose(choice: string): void {
    const done = completed(text, input.current?.selectionStart ?? text.length, choice);
    type(done.text);
    setOffered([]);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(done.cursor, done.cursor);
    });
  }

  function onKey(event: KeyboardEvent): void {
    const choice = offered[marked];
    if (event.key === "ArrowDown" && offered.length > 0) setMarked((marked + 1) % offered.length);
    else if (event.key === "ArrowUp" && offered.length > 0)
      setMarked((marked + offered.length - 1) % offered.length);
    else if (event.key === "Escape" && offered.length > 0) setOffered([]);
    else if ((event.key === "Enter" || event.key === "Tab") && choice !== undefined) choose(choice);
    else if (event.key === "Enter") {
      setOffered([]);
      applyNow(text);
      return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const at = problem === undefined ? undefined : problemAt(problem);
  return (
    <div class="filter-box">
      <label for={id} class="only-read-aloud">
        Filter
      </label>
      <div class="filter-line">
        <input
          ref={input}
          id={id}
          type="search"
          role="combobox"
          aria-expanded={offered.length > 0}
          aria-controls={`${id}-list`}
          aria-activedescendant={marked < 0 ? undefined : `${id}-${marked}`}
          aria-autocomplete="list"
          aria-invalid={problem !== undefined}
          aria-describedby={`${id}-problem`}
          placeholder="Filter, such as: status = SUCCEEDED and lr > 1e-3"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={text}
          onInput={(event) => change(event.currentTarget.value)}
          onKeyDown={onKey}
          onBlur={() => setOffered([])}
        />
        {text !== "" && (
          <Button
            kind="quiet"
            icon="cross"
            label="Clear the filter"
            onClick={() => {
              setText("");
              applyNow("");
            }}
          />
        )}
      </div>
      <div id={`${id}-list`} role="listbox" aria-label="Suggestions" class="filter-offers">
        {offered.map((choice, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the box handles the keys of its list
          <div
            key={choice}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === marked}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(choice)}
          >
            {choice}
          </div>
        ))}
      </div>
      <div id={`${id}-problem`} role="alert" class="problem filter-problem">
        {problem !== undefined && (
          <>
            {at !== undefined && at <= value.length && <pre>{`${value}\n${" ".repeat(at)}^`}</pre>}
            {problem}
          </>
        )}
      </div>
    </div>
  );
}
