import { useEffect, useState } from "preact/hooks";
import { Button } from "../../ui/Button";
import { Choice } from "../charts/Choice";
import { type Listed, platformsOf, statesOf } from "./listed";
import type { ExperimentsView } from "./view";

const TIMES = [
  { value: "0", label: "At any time" },
  { value: "1", label: "In the last 24 hours" },
  { value: "7", label: "In the last 7 days" },
  { value: "30", label: "In the last 30 days" },
  { value: "365", label: "In the last 365 days" },
];
const PAUSE_MS = 250;

/** What narrows the list. */
export function Filters(props: {
  view: ExperimentsView;
  all: readonly Listed[];
  onChange: (changes: Partial<ExperimentsView>) => void;
}) {
  const { view, all, onChange } = props;
  const [text, setText] = useState(view.text);
  useEffect(() => setText(view.text), [view.text]);
  useEffect(() => {
    if (text === view.text) return;
    const timer = setTimeout(() => onChange({ text }), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const narrowed = view.text !== "" || view.state !== "" || view.platform !== "" || view.days !== 0;
  const any = { value: "", label: "Any" };
  return (
    <div class="experiments-filters" role="search" aria-label="Experiments">
      <div class="field wide">
        <label for="experiments-text">Search</label>
        <input
          id="experiments-text"
          type="search"
          placeholder="Name, id, tuner, folder"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </div>
      <Choice
        label="Status"
        value={view.state}
        options={[any, ...statesOf(all).map((value) => ({ value, label: capitalized(value) }))]}
        onChange={(state) => onChange({ state })}
      />
      <Choice
        label="Platform"
        value={view.platform}
        options={[any, ...platformsOf(all)]}
        onChange={(platform) => onChange({ platform })}
      />
      <Choice
        label="Created"
        value={String(view.days)}
        options={TIMES}
        onChange={(days) => onChange({ days: Number(days) })}
      />
      {narrowed && (
        <Button
          kind="quiet"
          icon="cross"
          onClick={() => onChange({ text: "", state: "", platform: "", days: 0 })}
        >
          Show all
        </Button>
      )}
    </div>
  );
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
