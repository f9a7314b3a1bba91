import { useId } from "preact/hooks";
import { visible } from "../../ui/text";

/** One thing to choose. */
export interface Option {
  value: string;
  label?: string;
}

/** A list to choose one thing from, with its label. */
export function Choice(props: {
  label: string;
  value: string;
  options: readonly (Option | string)[];
  onChange: (value: string) => void;
}) {
  const id = useId();
  const options = props.options.map((one) => (typeof one === "string" ? { value: one } : one));
  const known = options.some((one) => one.value === props.value);
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select id={id} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {!known && <option value={props.value}>{visible(props.value || "none")}</option>}
        {options.map((one) => (
          <option key={one.value} value={one.value}>
            {visible(("label" in one && one.label) || one.value)}
          </option>
        ))}
      </select>
    </div>
  );
}
