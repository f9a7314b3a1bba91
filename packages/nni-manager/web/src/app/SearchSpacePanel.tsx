import { useState } from "preact/hooks";
import { experiment } from "../api/live";
import { parseJson } from "../api/parse_json";
import { jsonText } from "../api/values";
import { yamlText } from "../api/yaml_text";
import { Button } from "../ui/Button";
import { Copy } from "../ui/Copy";
import { toast } from "../ui/Toast";
import { visible } from "../ui/text";
import { canChange } from "./progress";
import { maySteer } from "./router";
import { searchSpaceText } from "./search_space_text";
import { update } from "./update";

/** The search space, to be read, copied and changed. */
export default function SearchSpacePanel() {
  const [draft, setDraft] = useState<string>();
  const shown = experiment.value;
  const space = shown?.config?.searchSpace;
  if (shown === undefined || space === undefined) return <p class="quiet">There is no search space.</p>;
  const text = searchSpaceText(space);
  if (draft !== undefined) return <Editor text={draft} onText={setDraft} onEnd={() => setDraft(undefined)} />;
  return (
    <>
      <div class="panel-tools">
        <Copy text={jsonText(space, 2)} label="Copy as JSON">
          Copy as JSON
        </Copy>
        <Copy text={yamlText(space)} label="Copy as YAML">
          Copy as YAML
        </Copy>
        {maySteer.value && canChange(shown) && (
          <Button icon="edit" onClick={() => setDraft(text)}>
            Change
          </Button>
        )}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by keys */}
      <pre class="code" tabIndex={0}>
        {visible(text)}
      </pre>
    </>
  );
}

function Editor({
  text,
  onText,
  onEnd,
}: {
  text: string;
  onText: (text: string) => void;
  onEnd: () => void;
}) {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function save(): Promise<void> {
    setBusy(true);
    const found = await change(text);
    setBusy(false);
    setProblem(found);
    if (found !== undefined) return;
    toast("New trials are taken from the new search space.");
    onEnd();
  }

  return (
    <form
      class="space-editor"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label for="space-text">
        The search space as JSON. The tuner is told of it; trials that exist keep their parameters.
      </label>
      <textarea
        id="space-text"
        spellcheck={false}
        value={text}
        onInput={(event) => onText(event.currentTarget.value)}
        aria-invalid={problem !== undefined}
        aria-describedby="space-problem"
      />
      <div id="space-problem" class="problem" role="alert">
        {problem === undefined ? undefined : visible(problem)}
      </div>
      <div class="panel-tools">
        <Button type="submit" kind="primary" busy={busy}>
          Save
        </Button>
        <Button onClick={onEnd}>Cancel</Button>
      </div>
    </form>
  );
}

async function change(text: string): Promise<string | undefined> {
  try {
    const searchSpace = parseJson(text);
    return await update("search_space", { searchSpace });
  } catch (error) {
    if (error instanceof SyntaxError) return `This is not JSON: ${error.message}`;
    throw error;
  }
}
