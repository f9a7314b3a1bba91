import { useState } from "preact/hooks";
import { client, problemText } from "../../api/client";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { formatBytes } from "../../ui/format";
import { toast } from "../../ui/Toast";
import { counted, visible } from "../../ui/text";
import type { Listed } from "./listed";

/** Asks for the experiment's id before it is deleted. */
export function DeleteDialog(props: { one: Listed; onDeleted: () => void; onClose: () => void }) {
  const { one, onDeleted, onClose } = props;
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const size = one.size === undefined ? undefined : formatBytes(one.size);

  async function remove(event: Event): Promise<void> {
    event.preventDefault();
    if (busy) return;
    if (typed.trim() !== one.id) {
      setProblem(`This is not its id, ${one.id}.`);
      return;
    }
    setBusy(true);
    try {
      await client.deleteExperiment({ name: one.name });
      toast(`Experiment ${one.id} is deleted${size === undefined ? "" : `, which frees ${size}`}.`);
      onDeleted();
    } catch (error) {
      setProblem(problemText(error));
      setBusy(false);
    }
  }

  return (
    <Dialog title={`Delete ${visible(one.title)}?`} onClose={onClose}>
      <form class="delete-form" onSubmit={remove}>
        <p>
          Its record, logs and all files of its {counted(one.trials, "trial")} in{" "}
          <code>{visible(one.directory)}</code> are removed
          {size === undefined ? ". How much that frees is being found out" : ", which frees "}
          {size !== undefined && <strong>{size}</strong>}. Nothing brings them back.
        </p>
        <Field
          label={`To confirm, write its id: ${one.id}`}
          value={typed}
          problem={problem}
          onInput={(value) => {
            setTyped(value);
            setProblem(undefined);
          }}
        />
        <div class="form-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" icon="trash" type="submit" busy={busy}>
            Delete
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
