import { useRef, useState } from "preact/hooks";
import type { ScaleChoice } from "../../charts/axes";
import type { ColumnInfo } from "../../charts/table";
import { Button } from "../../ui/Button";
import { visible } from "../../ui/text";
import { movedTo } from "./lists";

/** What the list of axes is made of. */
export interface AxisListProps {
  axes: readonly string[];
  infos: readonly ColumnInfo[];
  /** The scales that were chosen, by the name of the axis. */
  scales: Readonly<Record<string, ScaleChoice>>;
  onAxes: (axes: string[]) => void;
  onScales: (scales: Record<string, ScaleChoice>) => void;
}

/** The axes in their order: dragged, or moved by the arrow keys; Delete removes one. */
export function AxisList({ axes, infos, scales, onAxes, onScales }: AxisListProps) {
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
  function isLogarithmic(name: string): boolean {
    const chosen = scales[name] ?? "automatic";
    if (chosen !== "automatic") return chosen === "logarithmic";
    return infos.some((info) => info.name === name && info.logarithmic);
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
          {canBeLogarithmic(infos, name) && (
            <Button
              kind="quiet"
              class="axis-log"
              aria-pressed={isLogarithmic(name)}
              title={isLogarithmic(name) ? "Logarithmic; press for linear" : "Linear; press for logarithmic"}
              aria-label={`${name}: logarithmic`}
              onClick={() => onScales({ ...scales, [name]: isLogarithmic(name) ? "linear" : "logarithmic" })}
            >
              log
            </Button>
          )}
          <Button kind="quiet" icon="cross" label={`Remove ${name}`} onClick={() => remove(name)} />
        </li>
      ))}
    </ul>
  );
}

/** Returns whether the axis of a column may be logarithmic: text has no logarithm, nor have options. */
function canBeLogarithmic(infos: readonly ColumnInfo[], name: string): boolean {
  const info = infos.find((one) => one.name === name);
  return info === undefined ? name !== "status" : info.kind !== "category" && info.options.length === 0;
}
