import "./charts.css";
// The box for filters has its looks there.
import "../trials/trials.css";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { go, href, place, shownExperiment } from "../../app/router";
import { trialQuery } from "../../charts/selection";
import { useColumns } from "../../charts/use_columns";
import { FilterBox } from "../trials/FilterBox";
import { ContourView } from "./ContourView";
import { CorrelationView } from "./CorrelationView";
import { CurvesView } from "./CurvesView";
import { DurationsView } from "./DurationsView";
import { HistoryView } from "./HistoryView";
import { ImportanceView, measureAhead } from "./ImportanceView";
import { KINDS, type KindId, kindOf } from "./kinds";
import { ParallelView } from "./ParallelView";
import { ParetoView } from "./ParetoView";
import { Selection } from "./Selection";
import { SlicesView } from "./SlicesView";
import { useSettings } from "./settings";
import { TimelineView } from "./TimelineView";
import type { ViewProps } from "./view";

const VIEWS: Record<KindId, (props: ViewProps) => preact.JSX.Element> = {
  history: HistoryView,
  curves: CurvesView,
  parallel: ParallelView,
  slices: SlicesView,
  contour: ContourView,
  importance: ImportanceView,
  correlation: CorrelationView,
  pareto: ParetoView,
  durations: DurationsView,
  timeline: TimelineView,
};

/** What may be asked for later waits for the chart that is asked for now. */
const UNHURRIED_MS = 500;

/** The results of the experiment, as charts. */
export default function ChartsPage() {
  const kind = kindOf(place.value.rest);
  const [settings, change] = useSettings(kind);
  const columns = useColumns();
  const [selection, setSelection] = useState("");
  const [problem, setProblem] = useState<string>();
  const filter = settings["filter"] ?? "";
  const View = VIEWS[kind];
  const found = KINDS.find((one) => one.id === kind);
  const onTrial = useCallback((trial: string) => go(href("trials", "", trialQuery(trial))), []);
  useEffect(() => {
    setSelection("");
    setProblem(undefined);
  }, [kind, filter]);
  useEffect(() => {
    const timer = setTimeout(() => measureAhead(shownExperiment.value), UNHURRIED_MS);
    return () => clearTimeout(timer);
  }, [shownExperiment.value]);
  const list = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a phone the list scrolls sideways.
    list.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [kind]);
  return (
    <div class="charts-page">
      <nav ref={list} class="chart-kinds" aria-label="Kinds of charts">
        <ul>
          {KINDS.map((one) => (
            <li key={one.id}>
              <a href={href("charts", one.id)} aria-current={one.id === kind ? "page" : undefined}>
                {one.label}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <section class="chart-view" aria-labelledby="chart-heading">
        <div class="chart-heading">
          <h1 id="chart-heading">{found?.label}</h1>
          <p class="quiet">{found?.question}</p>
        </div>
        <FilterBox
          value={filter}
          columns={columns.all}
          problem={filter === "" ? undefined : problem}
          onApply={(text) => change({ filter: text })}
        />
        <View
          key={`${shownExperiment.value} ${kind}`}
          columns={columns}
          filter={filter}
          settings={settings}
          change={change}
          onSelection={setSelection}
          onTrial={onTrial}
          onProblem={setProblem}
        />
        <Selection selection={selection} filter={filter} onFilter={(text) => change({ filter: text })} />
      </section>
    </div>
  );
}
