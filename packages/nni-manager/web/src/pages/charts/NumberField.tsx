import { useEffect, useState } from "preact/hooks";
import { Field } from "../../ui/Field";
import { numberOf, type Settings } from "./settings_text";

/** A number that may be left out; it counts when the reader leaves the field or presses Enter. */
export function NumberField(props: {
  label: string;
  name: string;
  value: string;
  change: (change: Settings) => void;
  /** Only whole numbers from 0. */
  whole?: boolean;
}) {
  const { label, name, value, change, whole = false } = props;
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const number = numberOf(text);
  const fine =
    text.trim() === "" || (number !== undefined && (!whole || (Number.isInteger(number) && number >= 0)));
  function apply(): void {
    if (fine && text.trim() !== value) change({ [name]: text.trim() });
  }
  return (
    <Field
      label={label}
      value={text}
      onInput={setText}
      inputMode="decimal"
      size={8}
      problem={fine ? undefined : whole ? "a whole number from 0" : "a number, such as 0.5 or 1e-3"}
      onBlur={apply}
      onKeyDown={(event) => {
        if (event.key === "Enter") apply();
      }}
    />
  );
}
