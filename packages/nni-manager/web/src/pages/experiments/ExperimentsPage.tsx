import { useEffect, useState } from "preact/hooks";
import { problemText } from "../../api/client";
import { mayChange, ownExperiment } from "../../api/page_facts";
import { tryNow } from "../../api/retrying";
import { lately } from "../../app/clock";
import { go, href, place, replace, shownExperiment } from "../../app/router";
import { Button } from "../../ui/Button";
import { formatTime } from "../../ui/format";
import { toast } from "../../ui/Toast";
import { counted, visible } from "../../ui/text";
import { useSelection } from "../trials/useSelection";
import { CompareDialog } from "./CompareDialog";
import { DeleteDialog } from "./DeleteDialog";
import { ExperimentsTable } from "./ExperimentsTable";
import { experiments, forget, watchExperiments } from "./experiments_watch";
import "./experiments.css";
import { Filters } from "./Filters";
import { LinkDialog } from "./LinkDialog";
import { type Listed, shownOf } from "./listed";
import { open } from "./opening";
import { SelectionBar } from "./SelectionBar";
import { type ExperimentsView, queryOf, sortedBy, viewOf } from "./view";

type Window = "compare" | { remove: string } | { one: Listed; link: string } | undefined;

/** The experiments of the folder that this manager's experiment is in. */
export default function ExperimentsPage() {
  if (!mayChange) return <ViewOnly />;
  return <Experiments />;
}

function ViewOnly() {
  return (
    <section class="card">
      <h1>Experiments</h1>
      <p>
        This browser is signed in for viewing one experiment. The list of all experiments is shown to who is
        signed in to change things: open the link that <code>nnictl webui url ID</code> prints.
      </p>
    </section>
  );
}

function Experiments() {
  const view = viewOf(place.value.query);
  useEffect(watchExperiments, []);
  const { all: known, stale } = experiments.value;
  const all = known ?? [];
  const now = lately.value;
  const rows = shownOf(all, view, now);
  const selection = useSelection((index) => rows[index]?.name);
  const selected = all.filter((one) => selection.names.has(one.name));
  const [window, setWindow] = useState<Window>();
  const removed = typeof window === "object" && "remove" in window ? window.remove : undefined;
  const toRemove = all.find((one) => one.name === removed);
  const close = (): void => setWindow(undefined);

  function change(changes: Partial<ExperimentsView>): void {
    replace(href("experiments", "", queryOf({ ...view, ...changes })));
  }

  async function openOne(one: Listed): Promise<void> {
    try {
      const link = await open(one);
      if (link !== undefined) setWindow({ one, link });
    } catch (error) {
      toast(`It cannot be opened: ${problemText(error)}`, "failed");
    }
  }

  function deleted(one: Listed): void {
    close();
    selection.set([...selection.names].filter((name) => name !== one.name));
    forget(one.name);
    if (shownExperiment.value === one.name) go(href("experiments", "", queryOf(view), ownExperiment));
  }

  return (
    <div class="experiments-page">
      <div class="experiments-head">
        <h1>Experiments</h1>
        <span class="quiet" role="status">
          {known === undefined ? "Loading ..." : countText(rows.length, all.length)}
        </span>
      </div>
      {stale !== undefined && (
        <p class="problem" role="alert">
          {known === undefined
            ? "The list cannot be read"
            : `The list is out of date since ${formatTime(stale.since.getTime() / 1000)}`}
          : {visible(stale.problem)}. It goes on by itself.{" "}
          <Button kind="quiet" icon="refresh" onClick={tryNow}>
            Try now
          </Button>
        </p>
      )}
      <Filters view={view} all={all} onChange={change} />
      {selected.length > 0 && (
        <SelectionBar
          selected={selected}
          onOpen={openOne}
          onCompare={() => setWindow("compare")}
          onDelete={(one) => setWindow({ remove: one.name })}
          onNone={() => selection.set([])}
        />
      )}
      <ExperimentsTable
        rows={rows}
        selection={selection}
        sort={view.sort}
        now={now}
        onSort={(column, further) => change({ sort: sortedBy(view.sort, column, further) })}
        onOpen={openOne}
        onDelete={(one) => setWindow({ remove: one.name })}
        empty={emptyText(known !== undefined, all.length)}
      />
      {window === "compare" && (
        <CompareDialog experiments={selected.filter((one) => one.problem === "")} now={now} onClose={close} />
      )}
      {toRemove !== undefined && (
        <DeleteDialog one={toRemove} onDeleted={() => deleted(toRemove)} onClose={close} />
      )}
      {typeof window === "object" && "link" in window && (
        <LinkDialog one={window.one} link={window.link} onClose={close} />
      )}
    </div>
  );
}

function countText(shown: number, all: number): string {
  return shown === all ? counted(all, "experiment") : `${shown} of ${counted(all, "experiment")}`;
}

function emptyText(isLoaded: boolean, all: number): string {
  if (!isLoaded) return "Loading ...";
  return all === 0
    ? "There is no experiment in this folder yet. nnictl create starts one."
    : "No experiment is like that. Show all to see the others.";
}
