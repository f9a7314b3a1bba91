import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { idOf } from "../../api/page_facts";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";
import { type Column, Column_Kind } from "../../generated/nni_proto/v1/trial_table_pb";
import { Button } from "../../ui/Button";
import { formatDuration, formatNumber, formatTime } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { trialLook } from "../../ui/statuses";
import { visible } from "../../ui/text";
import { type TableColumn, VirtualTable } from "../../ui/VirtualTable";
import { cellOf, durationOf, isNumeric } from "./cells";
import { type ColumnChoice, widthOf } from "./shown_columns";
import type { TrialPages } from "./trial_pages";
import type { Selection } from "./useSelection";
import type { TrialsView } from "./view";

/** What the table is made of. */
export interface TrialsTableProps {
  trials: TrialPages;
  /** Why newer trials are not shown. */
  problem: string | undefined;
  columns: readonly Column[];
  choice: ColumnChoice | undefined;
  view: TrialsView;
  selection: Selection;
  onSort: (column: string, further: boolean) => void;
  onResize: (column: string, width: number) => void;
  /** Gets the ids of the trials whose details are open. */
  onOpen: (ids: string[]) => void;
  details: (trial: Trial) => ComponentChildren;
}

/** The table of trials. */
export function TrialsTable(props: TrialsTableProps) {
  const { trials, columns, choice, view, selection, onOpen } = props;
  useClock(columns.some((column) => column.kind === Column_Kind.DURATION));

  function toggle(index: number): void {
    const trial = trials.at(index);
    if (trial === undefined) return;
    const id = idOf(trial.name);
    onOpen(view.open.includes(id) ? view.open.filter((other) => other !== id) : [...view.open, id]);
  }

  const control: TableColumn = {
    key: "selection",
    header: <span class="only-read-aloud">Selection</span>,
    width: "76px",
    cell: (index) => {
      const trial = trials.at(index);
      if (trial === undefined) return null;
      const open = view.open.includes(idOf(trial.name));
      return (
        <>
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label={`Select trial ${trial.sequenceNumber}`}
            checked={selection.names.has(trial.name)}
            onClick={(event) => selection.toggle(index, event.shiftKey)}
          />
          <Button
            kind="quiet"
            tabIndex={-1}
            icon={open ? "down" : "right"}
            aria-expanded={open}
            label={`Details of trial ${trial.sequenceNumber}`}
            onClick={() => toggle(index)}
          />
        </>
      );
    },
  };

  return (
    <VirtualTable
      label="Trials"
      count={trials.total}
      rowKey={(index) => trials.at(index)?.name ?? index}
      columns={[control, ...columns.map((column) => tableColumn(column, choice, trials))]}
      sort={view.sort.map((key) => ({ key: key.column, descending: key.descending }))}
      onSort={props.onSort}
      onResize={props.onResize}
      selected={(index) => selection.names.has(trials.at(index)?.name ?? "")}
      onSelect={(index) => selection.toggle(index, false)}
      onRow={toggle}
      expanded={(index) => {
        const trial = trials.at(index);
        return trial !== undefined && view.open.includes(idOf(trial.name)) ? props.details(trial) : null;
      }}
      empty={trials.loaded ? emptyText(view.filter) : props.problem === undefined && "Loading ..."}
    />
  );
}

function tableColumn(column: Column, choice: ColumnChoice | undefined, trials: TrialPages): TableColumn {
  return {
    key: column.name,
    header: <span title={column.name}>{visible(column.name)}</span>,
    width: `${widthOf(column, choice)}px`,
    numeric: isNumeric(column),
    sortable: true,
    cell: (index) => {
      const trial = trials.at(index);
      return trial === undefined ? null : <TrialCell trial={trial} column={column} />;
    },
  };
}

function TrialCell({ trial, column }: { trial: Trial; column: Column }) {
  if (column.name === "status") return <StatusBadge look={trialLook(trial.status)} />;
  const cell = column.name === "duration" ? durationOf(trial) : cellOf(trial, column);
  if (cell === undefined) return null;
  if (typeof cell === "string") return <span title={cell}>{visible(cell)}</span>;
  if (column.kind === Column_Kind.DURATION) return <>{formatDuration(cell)}</>;
  if (column.kind === Column_Kind.TIME) return <>{formatTime(cell)}</>;
  return <span title={String(cell)}>{formatNumber(cell)}</span>;
}

function emptyText(filter: string): string {
  return filter === "" ? "There are no trials yet." : "The filter holds for no trial.";
}

/** Draws again every second, for the durations of trials that run. */
function useClock(needed: boolean): void {
  const [, tick] = useState(0);
  useEffect(() => {
    if (!needed) return;
    const timer = setInterval(() => tick((times) => times + 1), 1000);
    return () => clearInterval(timer);
  }, [needed]);
}
