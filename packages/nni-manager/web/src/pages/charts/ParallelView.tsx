import { useMemo, useState } from "preact/hooks";
import type { Intervals } from "../../charts/drawing";
import { parallel } from "../../charts/parallel";
import { filterOf, rowsInside } from "../../charts/selection";
import { columnOf, type TrialTable } from "../../charts/table";
import { AxisList } from "./AxisList";
import { Choice } from "./Choice";
import { DirectionChoice, directionOf, MetricChoice, metricOf } from "./MetricControls";
import { StretchFields } from "./StretchFields";
import { listOf, numberOf, scalesOf } from "./settings_text";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 2_000;
const USUAL_AXES = 10;
const TOPS = ["1", "0.5", "0.2", "0.1", "0.05", "0.01"];

/** Parallel coordinates. */
export function ParallelView(props: ViewProps) {
  const { settings, change, columns, onSelection } = props;
  const [metric, direction] = [metricOf(settings), directionOf(settings)];
  const top = numberOf(settings["top"]) ?? 1;
  const axes = useMemo(
    () => listOf(settings["axes"]) ?? [...columns.parameters.slice(0, USUAL_AXES), metric],
    [settings["axes"], columns.parameters, metric],
  );
  const scales = useMemo(() => scalesOf(settings["scales"]), [settings["scales"]]);
  const [inside, setInside] = useState("");
  const [written, setWritten] = useState<Intervals>();

  function selected(intervals: Intervals, table: TrialTable): void {
    const choices = axes
      .map((name, axis) => ({ column: columnOf(table, name), ranges: intervals[axis] ?? [] }))
      .filter((choice) => choice.ranges.length > 0);
    onSelection(filterOf(choices));
    const rows = rowsInside(choices, table.ids.length).length;
    setInside(choices.length > 0 ? `${rows} of the ${table.ids.length} trials are selected.` : "");
  }
  const every = [...columns.parameters, ...columns.metrics, "duration", "status"];
  return (
    <>
      <div class="chart-settings">
        <MetricChoice label="Colour" metrics={columns.metrics} value={metric} change={change} />
        <DirectionChoice value={direction} change={change} />
        <Choice
          label="Trials"
          value={String(top)}
          options={TOPS.map((share) => ({
            value: share,
            label: share === "1" ? "all" : `the best ${Number(share) * 100} %`,
          }))}
          onChange={(share) => change({ top: share === "1" ? "" : share })}
        />
        <Choice
          label="Add an axis"
          value=""
          options={[{ value: "", label: "choose a column" }, ...every.filter((name) => !axes.includes(name))]}
          onChange={(name) => name && change({ axes: JSON.stringify([...axes, name]) })}
        />
      </div>
      <AxisList
        axes={axes}
        infos={columns.infos}
        scales={scales}
        onAxes={(names) => change({ axes: JSON.stringify(names) })}
        onScales={(chosen) => change({ scales: JSON.stringify(chosen) })}
      />
      <TableChart
        {...props}
        title={`Parallel coordinates, coloured by ${metric}`}
        names={[...axes, metric]}
        maxTrials={MOST}
        deps={[axes, direction, top, scales]}
        picture={(table, frame) => parallel({ table, axes, metric, direction, top, scales }, frame)}
        onIntervals={selected}
        intervals={written}
      />
      <StretchFields
        axes={axes}
        infos={columns.infos}
        onStretch={(one) =>
          setWritten(
            one
              ? { [one.axis]: [[one.low, one.high]] }
              : Object.fromEntries(axes.map((_, axis) => [axis, []])),
          )
        }
      />
      <p class="quiet" aria-live="polite">
        {inside || "Drag along an axis to select trials; click beside the axis to select all again."}
      </p>
    </>
  );
}
