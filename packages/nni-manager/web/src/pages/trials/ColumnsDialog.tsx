import { useState } from "preact/hooks";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { counted, visible } from "../../ui/text";
import { moved } from "./shown_columns";

/** What the dialog is made of. */
export interface ColumnsDialogProps {
  columns: readonly Column[];
  /** The names of the columns shown, in their order. */
  names: readonly string[];
  onChange: (names: string[]) => void;
  /** Goes back to the usual columns. */
  onReset: () => void;
  onClose: () => void;
}

/** Chooses the columns of the table and puts them in order, by mouse and by keyboard. */
export function ColumnsDialog({ columns, names, onChange, onReset, onClose }: ColumnsDialogProps) {
  const [search, setSearch] = useState("");
  const [dragged, setDragged] = useState<string>();
  const others = columns.map((column) => column.name).filter((name) => !names.includes(name));
  const found = (name: string): boolean => name.toLowerCase().includes(search.trim().toLowerCase());
  const hidden = others.filter(found);

  return (
    <Dialog
      title="Columns"
      onClose={onClose}
      actions={
        <>
          <Button onClick={() => onChange([...names, ...hidden])} disabled={hidden.length === 0}>
            Show all
          </Button>
          <Button onClick={onReset}>Usual columns</Button>
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      <input
        type="search"
        aria-label="Search columns"
        placeholder="Search columns"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
      />
      <div class="column-lists">
        <div>
          <h3>Shown</h3>
          <ol aria-label="Shown columns, in their order">
            {names.map((name, at) => (
              <li
                key={name}
                draggable
                class={found(name) ? "" : "quiet"}
                onDragStart={() => setDragged(name)}
                onDragOver={(event) => event.preventDefault()}
                onDrop={(event) => {
                  event.preventDefault();
                  if (dragged !== undefined) onChange(moved(names, dragged, at));
                }}
              >
                <span>{visible(name)}</span>
                <Button
                  kind="quiet"
                  icon="up"
                  label={`Move ${name} to the left`}
                  disabled={at === 0}
                  onClick={() => onChange(moved(names, name, at - 1))}
                />
                <Button
                  kind="quiet"
                  icon="down"
                  label={`Move ${name} to the right`}
                  disabled={at === names.length - 1}
                  onClick={() => onChange(moved(names, name, at + 1))}
                />
                <Button
                  kind="quiet"
                  icon="cross"
                  label={`Hide ${name}`}
                  disabled={names.length === 1}
                  onClick={() => onChange(names.filter((other) => other !== name))}
                />
              </li>
            ))}
          </ol>
        </div>
        <div>
          <h3>{counted(hidden.length, "other column")}</h3>
          <ul>
            {hidden.map((name) => (
              <li key={name}>
                <span>{visible(name)}</span>
                <Button
                  kind="quiet"
                  icon="plus"
                  label={`Show ${name}`}
                  onClick={() => onChange([...names, name])}
                />
              </li>
            ))}
          </ul>
        </div>
      </div>
    </Dialog>
  );
}
