import { useState } from "preact/hooks";
import { problemText } from "../../api/client";
import { experiment } from "../../api/live";
import { idOf } from "../../api/page_facts";
import { objectValue } from "../../api/values";
import { href, place, replace, shownExperiment } from "../../app/router";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";
import type { Value } from "../../generated/nni_proto/v1/value_pb";
import { toast } from "../../ui/Toast";
import { counted } from "../../ui/text";
import { ColumnsDialog } from "./ColumnsDialog";
import { CompareDialog, MOST_COMPARED } from "./CompareDialog";
import { allTrials, saveTrials } from "./exporting";
import { FilterBox } from "./FilterBox";
import { mayChangeTrials } from "./may_change";
import { SelectionBar } from "./SelectionBar";
import { StatusChips } from "./StatusChips";
import { shownColumns } from "./shown_columns";
import { openTensorBoard, TensorBoardsDialog } from "./TensorBoards";
import { TrialActions } from "./TrialActions";
import { TrialDetails } from "./TrialDetails";
import { TrialForm } from "./TrialForm";
import { TrialsTable } from "./TrialsTable";
import { TrialsTools } from "./TrialsTools";
import "./trials.css";
import { useColumnChoice, useColumns } from "./useColumns";
import { useSelection } from "./useSelection";
import { useTrials } from "./useTrials";
import { orderBy, queryOf, sortedBy, type TrialsView, viewOf } from "./view";

type Window = "columns" | "compare" | "boards" | { start: Value; origin: string } | undefined;

/** The trials of the experiment, as a table. */
export default function TrialsPage() {
  const parent = shownExperiment.value;
  const view = viewOf(place.value.query);
  const columns = useColumns(parent);
  const choice = useColumnChoice(parent);
  const narrow = matchMedia("(max-width: 640px)").matches;
  const shown = shownColumns(columns, choice.value, narrow);
  const { pages: trials, problem } = useTrials(parent, view.filter, view.sort);
  const selection = useSelection(
    (index) => trials.at(index)?.name,
    async (first, last) => (await all(first, last - first + 1)).map((trial) => trial.name),
  );
  const [window, setWindow] = useState<Window>();
  const close = (): void => setWindow(undefined);
  const selected = [...selection.names];

  function change(changes: Partial<TrialsView>): void {
    const now = viewOf(place.value.query);
    replace(href("trials", "", queryOf({ ...now, ...changes })));
  }

  function choose(names: string[]): void {
    choice.value = { names, widths: choice.value?.widths ?? {} };
  }

  async function all(first?: number, most?: number): Promise<Trial[]> {
    try {
      return await allTrials(parent, view.filter, orderBy(view.sort), first, most);
    } catch (error) {
      toast(`The trials cannot be read: ${problemText(error)}`, "failed");
      return [];
    }
  }

  const start = experiment.value?.bestTrial ?? trials.at(0);
  function begin(trial: Trial | undefined): void {
    setWindow({
      start: trial?.parameters ?? objectValue([]),
      origin: trial
        ? `It begins with the parameters of trial ${trial.sequenceNumber}.`
        : "There is no trial to begin with: every parameter has to be filled in.",
    });
  }
  return (
    <div class="trials-page">
      <h1 class="only-read-aloud">Trials</h1>
      <FilterBox
        value={view.filter}
        onApply={(filter) => change({ filter })}
        problem={problem}
        columns={columns}
      />
      <div class="trials-bar">
        <StatusChips filter={view.filter} onFilter={(filter) => change({ filter })} />
        <span class="quiet" aria-live="polite">
          {trials.loaded ? counted(trials.total, "trial") : problem === undefined && "Loading ..."}
        </span>
        <TrialsTools
          onColumns={() => setWindow("columns")}
          onBoards={() => setWindow("boards")}
          onNew={mayChangeTrials.value ? () => begin(start) : undefined}
          onSave={async (form) => saveTrials(form, `${idOf(parent)}-trials`, await all(), shown)}
        />
      </div>
      {selected.length > 0 && (
        <SelectionBar
          names={selected}
          total={trials.total}
          onAll={async () => selection.set((await all()).map((trial) => trial.name))}
          onNone={() => selection.set([])}
          onCompare={() => setWindow("compare")}
          onTensorBoard={() => openTensorBoard(parent, selected)}
        />
      )}
      <TrialsTable
        trials={trials}
        problem={problem}
        columns={shown}
        choice={choice.value}
        view={view}
        selection={selection}
        onSort={(column, further) => change({ sort: sortedBy(view.sort, column, further) })}
        onResize={(column, width) => {
          const names = choice.value?.names ?? shown.map((one) => one.name);
          choice.value = { names, widths: { ...choice.value?.widths, [column]: width } };
        }}
        onOpen={(open) => change({ open })}
        details={(trial) => (
          <TrialDetails trial={trial} actions={<TrialActions trial={trial} onClone={begin} />} />
        )}
      />
      {window === "columns" && (
        <ColumnsDialog
          columns={columns}
          names={shown.map((column) => column.name)}
          onChange={choose}
          onReset={() => {
            choice.value = undefined;
          }}
          onClose={close}
        />
      )}
      {window === "compare" && (
        <CompareDialog parent={parent} names={selected.slice(0, MOST_COMPARED)} onClose={close} />
      )}
      {window === "boards" && <TensorBoardsDialog parent={parent} onClose={close} />}
      {typeof window === "object" && (
        <TrialForm
          parent={parent}
          start={window.start}
          origin={window.origin}
          columns={columns}
          onClose={close}
        />
      )}
    </div>
  );
}
