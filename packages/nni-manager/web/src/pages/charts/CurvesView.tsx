import { useCallback, useEffect } from "preact/hooks";
import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { shownExperiment } from "../../app/router";
import { Chart } from "../../charts/Chart";
import { curves } from "../../charts/curves";
import { Pending } from "../../charts/Pending";
import type { Frame } from "../../charts/picture";
import { Choice } from "./Choice";
import { directionOf, ScaleControl, scaleChoice } from "./MetricControls";
import { NumberField } from "./NumberField";
import { numberOf, oneOf } from "./settings_text";
import type { ViewProps } from "./view";

const COUNTS = ["20", "50", "100", "200", "500", "1000"];
const MOST_POINTS = 200;

/** Intermediate results, a curve for each trial. */
export function CurvesView({ settings, change, filter, onTrial, onProblem }: ViewProps) {
  const parent = shownExperiment.value;
  const order = oneOf(settings["order"], ["best", "latest", "first"]);
  const key = settings["key"] ?? "";
  const maxCurves = numberOf(settings["count"]) ?? 200;
  const scale = scaleChoice(settings);
  const [index, low, high] = ["step", "low", "high"].map((name) => numberOf(settings[name]));
  const direction = directionOf(settings) === "maximize" ? "desc" : "asc";
  const orderBy = { best: `objective ${direction}, number`, latest: "number desc", first: "number" }[order];
  const stepRange =
    low === undefined && high === undefined
      ? undefined
      : { index: index ?? 0, ...(low === undefined ? {} : { low }), ...(high === undefined ? {} : { high }) };
  const question = JSON.stringify([parent, filter, orderBy, key, maxCurves, stepRange]);
  const answer = useLiveQuery(question, (signal) =>
    client.listCurves(
      {
        parent,
        filter,
        orderBy,
        key,
        maxCurves,
        maxPoints: MOST_POINTS,
        ...(stepRange ? { stepRange } : {}),
      },
      { signal },
    ),
  );
  useEffect(() => onProblem(answer.problem), [answer.problem]);
  const data = answer.data;
  const build = useCallback(
    (frame: Frame) => curves({ curves: data?.curves ?? [], total: data?.totalSize ?? 0, key, scale }, frame),
    [data, key, scale],
  );
  return (
    <>
      <div class="chart-settings">
        <Choice
          label="Entry of the results"
          value={key}
          options={[
            { value: "", label: "the result itself" },
            ...(data?.keys ?? []).filter((one) => one !== ""),
          ]}
          onChange={(chosen) => change({ key: chosen })}
        />
        <Choice
          label="Curves"
          value={String(maxCurves)}
          options={COUNTS.map((count) => ({ value: count, label: `at most ${count}` }))}
          onChange={(count) => change({ count })}
        />
        <Choice
          label="Which"
          value={order}
          options={[
            { value: "best", label: "the best trials" },
            { value: "latest", label: "the latest trials" },
            { value: "first", label: "the first trials" },
          ]}
          onChange={(chosen) => change({ order: chosen })}
        />
        <ScaleControl value={scale} change={change} />
        <NumberField label="At index" name="step" value={settings["step"] ?? ""} change={change} whole />
        <NumberField label="from" name="low" value={settings["low"] ?? ""} change={change} />
        <NumberField label="to" name="high" value={settings["high"] ?? ""} change={change} />
      </div>
      {data ? (
        <Chart
          title="Intermediate results"
          build={build}
          question={`${question} ${scale}`}
          onTrial={onTrial}
        />
      ) : (
        <Pending answer={answer} />
      )}
    </>
  );
}
