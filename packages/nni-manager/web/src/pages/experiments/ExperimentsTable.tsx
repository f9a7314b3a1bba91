import { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { Button } from "../../ui/Button";
import { formatBytes, formatDuration, formatNumber, formatTime } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { visible } from "../../ui/text";
import { type TableColumn, VirtualTable } from "../../ui/VirtualTable";
import type { Selection } from "../trials/useSelection";
import { countOf, type Listed, secondsFromStart } from "./listed";
import { addressOf, isElsewhere } from "./opening";
import type { SortKey } from "./view";

/** What the table is made of. */
export interface ExperimentsTableProps {
  rows: readonly Listed[];
  selection: Selection;
  sort: readonly SortKey[];
  /** In seconds since 1970. */
  now: number;
  onSort: (column: string, further: boolean) => void;
  onOpen: (one: Listed) => void;
  onDelete: (one: Listed) => void;
  empty: string;
}

type Cell = (one: Listed, props: ExperimentsTableProps) => preact.ComponentChildren;

const COLUMNS: readonly { key: string; header: string; width: string; numeric?: boolean; cell: Cell }[] = [
  {
    key: "name",
    header: "Name",
    width: "minmax(240px, 3fr)",
    cell: (one, props) => <Name {...props} one={one} />,
  },
  {
    key: "status",
    header: "Status",
    width: "170px",
    cell: (one) => <StatusBadge look={one.look} more={one.running ? ", live" : undefined} />,
  },
  { key: "best", header: "Best", width: "100px", numeric: true, cell: bestText },
  { key: "trials", header: "Trials", width: "130px", numeric: true, cell: (one) => <Trials one={one} /> },
  { key: "tuner", header: "Tuner", width: "minmax(100px, 1fr)", cell: (one) => visible(one.algorithm) },
  { key: "platform", header: "Platform", width: "minmax(90px, 1fr)", cell: (one) => visible(one.platform) },
  {
    key: "created",
    header: "Created",
    width: "165px",
    cell: (one) => (one.created === undefined ? null : formatTime(one.created)),
  },
  {
    key: "duration",
    header: "Duration",
    width: "110px",
    numeric: true,
    cell: (one, { now }) => {
      const seconds = secondsFromStart(one, now);
      return seconds === undefined ? null : formatDuration(seconds);
    },
  },
  {
    key: "size",
    header: "Size",
    width: "85px",
    numeric: true,
    cell: (one) => (one.size === undefined ? null : formatBytes(one.size)),
  },
];

/** The table of experiments. */
export function ExperimentsTable(props: ExperimentsTableProps) {
  const { rows, selection } = props;
  const control: TableColumn = {
    key: "selection",
    header: <span class="only-read-aloud">Selection</span>,
    width: "44px",
    cell: (index) => {
      const one = rows[index];
      if (one === undefined) return null;
      return (
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Select ${visible(one.title)}, ${one.id}`}
          checked={selection.names.has(one.name)}
          onClick={(event) => selection.toggle(index, event.shiftKey)}
        />
      );
    },
  };
  const remove: TableColumn = {
    key: "delete",
    header: <span class="only-read-aloud">Delete</span>,
    width: "52px",
    cell: (index) => {
      const one = rows[index];
      if (one === undefined || one.running || one.own) return null;
      return (
        <Button
          kind="quiet"
          icon="trash"
          tabIndex={-1}
          label={`Delete ${one.id}`}
          onClick={() => props.onDelete(one)}
        />
      );
    },
  };
  const columns = COLUMNS.map(
    (column): TableColumn => ({
      ...column,
      sortable: true,
      cell: (index) => {
        const one = rows[index];
        return one === undefined ? null : column.cell(one, props);
      },
    }),
  );
  return (
    <VirtualTable
      label="Experiments"
      columns={[control, ...columns, remove]}
      count={rows.length}
      rowKey={(index) => rows[index]?.name ?? index}
      sort={props.sort.map((key) => ({ key: key.column, descending: key.descending }))}
      onSort={props.onSort}
      selected={(index) => selection.names.has(rows[index]?.name ?? "")}
      onSelect={(index) => selection.toggle(index, false)}
      onRow={(index) => {
        const one = rows[index];
        if (one !== undefined && one.problem === "") props.onOpen(one);
      }}
      expanded={(index) => {
        const problem = rows[index]?.problem ?? "";
        return problem === "" ? null : <p class="problem experiment-problem">{visible(problem)}</p>;
      }}
      empty={props.empty}
    />
  );
}

function Name({ one, onOpen }: ExperimentsTableProps & { one: Listed }) {
  return (
    <span class="experiment-name">
      {one.problem !== "" ? (
        <span title={visible(one.title)}>{visible(one.title)}</span>
      ) : isElsewhere(one) ? (
        <button
          type="button"
          class="like-link"
          tabIndex={-1}
          title="Opens its own page in a new tab"
          onClick={() => onOpen(one)}
        >
          {visible(one.title)} <span aria-hidden="true">↗</span>
          <span class="only-read-aloud">(in a new tab)</span>
        </button>
      ) : (
        <a href={addressOf(one)} tabIndex={-1} title={visible(one.title)}>
          {visible(one.title)}
        </a>
      )}
      {one.title !== one.id && <code class="quiet">{one.id}</code>}
      {one.own && <span class="own-mark">this one</span>}
    </span>
  );
}

function bestText(one: Listed) {
  if (one.best === undefined) return null;
  return (
    <span title={`${one.best}, ${one.minimize ? "lower" : "higher"} is better`}>
      {formatNumber(one.best)}
      <span class="quiet" aria-hidden="true">
        {one.minimize ? " ↓" : " ↑"}
      </span>
      <span class="only-read-aloud">, {one.minimize ? "lower" : "higher"} is better</span>
    </span>
  );
}

function Trials({ one }: { one: Listed }) {
  const failed = countOf(one, Trial_Status.FAILED);
  const succeeded = countOf(one, Trial_Status.SUCCEEDED);
  if (one.trials === 0 && one.problem !== "") return null;
  return (
    <span title={`${succeeded} succeeded, ${failed} failed, ${one.trials} in all`}>
      {one.trials.toLocaleString("en")}
      {failed > 0 && <span class="tone-failed"> ({failed.toLocaleString("en")} failed)</span>}
    </span>
  );
}
