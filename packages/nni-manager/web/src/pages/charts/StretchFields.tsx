import { useState } from "preact/hooks";
import type { ColumnInfo } from "../../charts/table";
import { Button } from "../../ui/Button";
import { Choice } from "./Choice";
import { NumberField } from "./NumberField";
import { numberOf } from "./settings_text";

/** A stretch of an axis, written instead of drawn. */
export interface Stretch {
  axis: number;
  low: number;
  high: number;
}

/** Selects a stretch of an axis without a mouse. */
export function StretchFields(props: {
  axes: readonly string[];
  infos: readonly ColumnInfo[];
  /** Gets the stretch; undefined selects all again. */
  onStretch: (stretch: Stretch | undefined) => void;
}) {
  const { axes, infos, onStretch } = props;
  const [name, setName] = useState("");
  const [ends, setEnds] = useState<Record<string, string>>({});
  const axis = Math.max(0, axes.indexOf(name));
  const options = infos.find((info) => info.name === axes[axis])?.options ?? [];
  const texts = infos.some((info) => info.name === axes[axis] && info.kind === "category");
  const changeEnds = (change: Record<string, string>) => setEnds((before) => ({ ...before, ...change }));
  function select(): void {
    onStretch({
      axis,
      low: numberOf(ends["low"]) ?? Number.NEGATIVE_INFINITY,
      high: numberOf(ends["high"]) ?? Number.POSITIVE_INFINITY,
    });
  }
  return (
    <details class="stretch-fields">
      <summary>Select by numbers</summary>
      <div class="chart-settings">
        <Choice label="Axis" value={axes[axis] ?? ""} options={axes} onChange={setName} />
        {texts && options.length > 0 ? (
          <Choice
            label="Option"
            value={ends["option"] ?? ""}
            options={[{ value: "", label: "choose one" }, ...options]}
            onChange={(option) => {
              changeEnds({ option });
              const place = options.indexOf(option);
              if (place >= 0) onStretch({ axis, low: place - 0.5, high: place + 0.5 });
            }}
          />
        ) : (
          <>
            <NumberField label="From" name="low" value={ends["low"] ?? ""} change={changeEnds} />
            <NumberField label="to" name="high" value={ends["high"] ?? ""} change={changeEnds} />
            <Button onClick={select}>Select</Button>
          </>
        )}
        <Button onClick={() => onStretch(undefined)}>Select all</Button>
      </div>
    </details>
  );
}
