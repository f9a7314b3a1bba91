import { Button } from "../../ui/Button";
import { Menu } from "../../ui/Menu";

/** What the tools do. */
export interface TrialsToolsProps {
  onColumns: () => void;
  onBoards: () => void;
  /** Adds a trial; undefined when that is not possible. */
  onNew: (() => void) | undefined;
  onSave: (form: "csv" | "json") => void;
}

/** The buttons above the table. */
export function TrialsTools({ onColumns, onBoards, onNew, onSave }: TrialsToolsProps) {
  return (
    <div class="trials-tools">
      {onNew !== undefined && (
        <Button icon="plus" onClick={onNew}>
          New trial
        </Button>
      )}
      <Button icon="columns" onClick={onColumns}>
        Columns
      </Button>
      <Menu
        label="Export"
        icon="download"
        items={[
          { label: "All rows as CSV", onSelect: () => onSave("csv") },
          { label: "All rows as JSON", onSelect: () => onSave("json") },
        ]}
      >
        Export
      </Menu>
      <Button icon="chart" onClick={onBoards}>
        TensorBoards
      </Button>
    </div>
  );
}
