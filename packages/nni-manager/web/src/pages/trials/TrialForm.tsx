import { useState } from "preact/hooks";
import { client, problemText } from "../../api/client";
import { parseJson } from "../../api/parse_json";
import { jsonText } from "../../api/values";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import type { Value } from "../../generated/nni_proto/v1/value_pb";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { toast } from "../../ui/Toast";
import { visible } from "../../ui/text";
import {
  canBeLeftOut,
  changedParameters,
  fieldsOf,
  type ParameterField,
  problemsByPath,
  warningOf,
  wordOf,
} from "./edited_parameters";

/** What the form is made of. */
export interface TrialFormProps {
  /** The experiment's resource name. */
  parent: string;
  /** The parameters to begin with. */
  start: Value;
  /** Says where they come from. */
  origin: string;
  columns: readonly Column[];
  onClose: () => void;
}

/** Makes a trial of parameters that a person chose: field by field, or as JSON. */
export function TrialForm({ parent, start, origin, columns, onClose }: TrialFormProps) {
  const fields = fieldsOf(start, columns);
  const [texts, setTexts] = useState(() => new Map(fields.map((field) => [field.path, field.text])));
  const [json, setJson] = useState<string>();
  const [problems, setProblems] = useState<ReadonlyMap<string, string>>(new Map());
  const [busy, setBusy] = useState(false);

  async function send(): Promise<void> {
    let parameters: Value;
    try {
      parameters = json === undefined ? changedParameters(start, texts) : parseJson(json);
    } catch (error) {
      setProblems(new Map([["", `This is not JSON: ${(error as Error).message}`]]));
      return;
    }
    setBusy(true);
    try {
      await createTrial(parent, parameters);
      onClose();
    } catch (error) {
      const paths = json === undefined ? fields.map((field) => field.path) : [];
      setProblems(problemsByPath(problemText(error), paths));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Dialog
      title="New trial"
      onClose={onClose}
      actions={
        <>
          <Button
            kind="quiet"
            onClick={() =>
              setJson(json === undefined ? jsonText(changedParameters(start, texts), 2) : undefined)
            }
          >
            {json === undefined ? "Write JSON" : "Back to the fields"}
          </Button>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" icon="plus" busy={busy} onClick={send}>
            Add the trial
          </Button>
        </>
      }
    >
      <p class="quiet">{origin}</p>
      <div class="problem" role="alert">
        {visible(problems.get("") ?? "")}
      </div>
      {json === undefined ? (
        <div class="parameter-fields">
          {fields.map((field) => (
            <ParameterInput
              key={field.path}
              field={field}
              text={texts.get(field.path) ?? ""}
              problem={problems.get(field.path)}
              onInput={(text) => setTexts(new Map(texts).set(field.path, text))}
            />
          ))}
        </div>
      ) : (
        <textarea
          class="parameter-json"
          aria-label="Parameters as JSON"
          rows={16}
          spellcheck={false}
          value={json}
          onInput={(event) => setJson(event.currentTarget.value)}
        />
      )}
    </Dialog>
  );
}

/**
 * Makes a trial and says its number.
 *
 * @throws ConnectError The service refused the parameters.
 */
export async function createTrial(parent: string, parameters: Value): Promise<void> {
  const response = await client.createTrial({ parent, requestId: crypto.randomUUID(), parameters });
  toast(`Trial ${response.trial?.sequenceNumber} was added; it starts when a slot is free.`);
}

function ParameterInput(props: {
  field: ParameterField;
  text: string;
  problem: string | undefined;
  onInput: (text: string) => void;
}) {
  const { field, text, problem, onInput } = props;
  const id = `parameter ${field.path}`;
  const options = field.column?.options.map(wordOf) ?? [];
  const warning = warningOf(field, text);
  return (
    <div class="field">
      <label for={id}>{visible(field.path)}</label>
      {options.length > 0 && (text === "" || options.includes(text)) ? (
        <select id={id} value={text} onChange={(event) => onInput(event.currentTarget.value)}>
          {canBeLeftOut(field) && <option value="">(left out)</option>}
          {options.map((option) => (
            <option key={option} value={option}>
              {visible(option)}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          type="text"
          autocomplete="off"
          spellcheck={false}
          value={text}
          placeholder={canBeLeftOut(field) ? "left out" : undefined}
          aria-invalid={problem !== undefined}
          aria-describedby={`${id} note`}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
      )}
      <div id={`${id} note`} class={problem === undefined ? "hint" : "problem"}>
        {problem === undefined ? warning : visible(problem)}
      </div>
    </div>
  );
}
