import { useRef, useState } from "preact/hooks";
import { Button } from "../../ui/Button";
import { visible } from "../../ui/text";
import { movedTo } from "./lists";

/** What the list of axes is made of. */
export interface AxisListProps {
  axes: readonly string[];
  /** Those that are linear although they would be logarithmic. */
  linear: readonly string[];
  onAxes: (axes: string[]) => void;
  onLinear: (linear: string[]) => void;
}

/** The axes in their order: dragged, or moved by the arrow keys; Delete removes one. */
export function AxisList({ axes, linear, onAxes, onLinear }: AxisListProps) {
  const [dragged, setDragged] = useState<string>();
  const list = useRef<HTMLUListElement>(null);
  function place(name: string, to: number): void {
    onAxes(movedTo(axes, name, to));
    requestAnimationFrame(() => {
      const buttons = list.current?.querySelectorAll<HTMLElement>("button.axis-name");
      buttons?.[Math.min(axes.length - 1, Math.max(0, to))]?.focus();
    });
  }
  function move(event: KeyboardEvent, name: string, at: number): void {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft")
      place(name, at + (event.key === "ArrowRight" ? 1 : -1));
    else if (event.key === "Delete" || event.key === "Backspace") remove(name);
    else return;
    event.preventDefault();
  }
  function remove(name: string): void {
    onAxes(axes.filter((one) => one !== name));
  }
  return (
    <ul
      class="axis-list"
      ref={list}
      aria-label="Axes, from left to right. The arrow keys move one, Delete removes it."
    >
      {axes.map((name, at) => (
        <li
          key={name}
          draggable
          class={dragged === name ? "dragged" : ""}
          onDragStart={(event) => {
            setDragged(name);
            event.dataTransfer?.setData("text/plain", name);
          }}
          onDragEnd={() => setDragged(undefined)}
          onDragOver={(event) => event.preventDefault()}
          onDrop={(event) => {
            event.preventDefault();
            if (dragged !== undefined) onAxes(movedTo(axes, dragged, at));
          }}
        >
          <button
            type="button"
            class="axis-name"
            title="Drag, or move with the arrow keys"
            onKeyDown={(event) => move(event, name, at)}
          >
            {visible(name)}
          </button>
          <Button
            kind="quiet"
            class="axis-log"
            aria-pressed={!linear.includes(name)}
            title="Logarithmic where the search space or the values are; press for linear"
            aria-label={`${name}: logarithmic where it fits`}
            onClick={() =>
              onLinear(linear.includes(name) ? linear.filter((one) => one !== name) : [...linear, name])
            }
          >
            log
          </Button>
          <Button kind="quiet" icon="cross" label={`Remove ${name}`} onClick={() => remove(name)} />
        </li>
      ))}
    </ul>
  );
}
