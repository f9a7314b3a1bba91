import { useId, useRef, useState } from "preact/hooks";
import { Button } from "../../ui/Button";
import { toast } from "../../ui/Toast";
import { visible } from "../../ui/text";

/** What a value that is changed in place is made of. */
export interface EditInPlaceProps {
  label: string;
  /** The value as it is written, "" for none. */
  text: string;
  /** The value as it is shown, when that is another text. */
  shown?: string | undefined;
  editable: boolean;
  /** What may be written. */
  hint: string;
  /** Returns what is wrong with a text before the service is asked. */
  check?: (text: string) => string | undefined;
  /** Saves a text; returns what is wrong with it. */
  onSave: (text: string) => Promise<string | undefined>;
}

/** A term and its value, which a button makes a field. */
export function EditInPlace({ label, text, shown, editable, hint, check, onSave }: EditInPlaceProps) {
  const [draft, setDraft] = useState<string>();
  const place = useRef<HTMLElement>(null);
  function write(written: string | undefined): void {
    setDraft(written);
    // Who changed it by keys goes on from the same place.
    if (written === undefined) requestAnimationFrame(() => place.current?.querySelector("button")?.focus());
  }
  return (
    <>
      <dt>{label}</dt>
      <dd ref={place}>
        {draft === undefined ? (
          <>
            {text === "" ? <span class="quiet">no limit</span> : visible(shown ?? text)}{" "}
            {editable && (
              <Button
                kind="quiet"
                class="edit"
                icon="edit"
                label={`Change: ${label}`}
                onClick={() => setDraft(text)}
              />
            )}
          </>
        ) : (
          <Form
            label={label}
            hint={hint}
            before={text}
            draft={draft}
            onDraft={write}
            save={async (written) => check?.(written) ?? (await onSave(written))}
          />
        )}
      </dd>
    </>
  );
}

interface FormProps {
  label: string;
  hint: string;
  before: string;
  draft: string;
  onDraft: (draft: string | undefined) => void;
  save: (text: string) => Promise<string | undefined>;
}

function Form({ label, hint, before, draft, onDraft, save }: FormProps) {
  const id = useId();
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(): Promise<void> {
    const written = draft.trim();
    if (written === before) return onDraft(undefined);
    setBusy(true);
    const found = await save(written);
    setBusy(false);
    setProblem(found);
    if (found !== undefined) return;
    toast(`${label}: ${written === "" ? "no limit" : written}`);
    onDraft(undefined);
  }

  return (
    <form
      class="edit-in-place"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") onDraft(undefined);
      }}
    >
      <input
        type="text"
        aria-label={label}
        value={draft}
        onInput={(event) => onDraft(event.currentTarget.value)}
        ref={(input) => {
          if (input !== null && !input.dataset["begun"]) {
            input.dataset["begun"] = "yes";
            input.select();
          }
        }}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-hint ${id}-problem`}
      />
      <Button type="submit" kind="primary" busy={busy}>
        Save
      </Button>
      <Button onClick={() => onDraft(undefined)}>Cancel</Button>
      <div id={`${id}-hint`} class="hint">
        {hint}
      </div>
      <div id={`${id}-problem`} class="problem" role="alert">
        {problem === undefined ? undefined : visible(problem)}
      </div>
    </form>
  );
}
