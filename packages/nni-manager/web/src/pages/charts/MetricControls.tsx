import type { ScaleChoice } from "../../charts/axes";
import { optimizeDirection } from "../../charts/ObjectiveHistory";
import type { Direction } from "../../charts/objective_history";
import { Choice } from "./Choice";
import { oneOf, type Settings } from "./settings_text";

const DIRECTIONS = [
  { value: "maximize", label: "higher is better" },
  { value: "minimize", label: "lower is better" },
];
const SCALES = [
  { value: "automatic", label: "as the values need" },
  { value: "linear", label: "linear" },
  { value: "logarithmic", label: "logarithmic" },
];

/** Returns the metric that the settings choose: the objective when nothing is chosen. */
export function metricOf(settings: Settings): string {
  return settings["metric"] ?? "objective";
}

/** Returns the direction that the settings choose for a name: the experiment's when nothing is chosen. */
export function directionOf(settings: Settings, name = "direction"): Direction {
  const usual = optimizeDirection();
  return oneOf<Direction>(settings[name], usual === "maximize" ? [usual, "minimize"] : [usual, "maximize"]);
}

/** Returns the scale that the settings choose for a name. */
export function scaleChoice(settings: Settings, name = "scale"): ScaleChoice {
  return oneOf<ScaleChoice>(settings[name], ["automatic", "linear", "logarithmic"]);
}

/** What the choice of a metric is made of. */
export interface MetricChoiceProps {
  label?: string;
  metrics: readonly string[];
  value: string;
  name?: string;
  change: (change: Settings) => void;
}

/** The choice of a metric. */
export function MetricChoice({
  label = "Metric",
  metrics,
  value,
  name = "metric",
  change,
}: MetricChoiceProps) {
  return (
    <Choice label={label} value={value} options={metrics} onChange={(metric) => change({ [name]: metric })} />
  );
}

/** The choice of which way is better. */
export function DirectionChoice(props: {
  label?: string;
  value: Direction;
  name?: string;
  change: (change: Settings) => void;
}) {
  const { label = "Direction", value, name = "direction", change } = props;
  return (
    <Choice
      label={label}
      value={value}
      options={DIRECTIONS}
      onChange={(direction) => change({ [name]: direction })}
    />
  );
}

/** The choice of an axis' scale. */
export function ScaleControl(props: {
  label?: string;
  value: ScaleChoice;
  name?: string;
  change: (change: Settings) => void;
}) {
  const { label = "Scale", value, name = "scale", change } = props;
  return (
    <Choice
      label={label}
      value={value}
      options={SCALES}
      onChange={(scale) => change({ [name]: scale === "automatic" ? "" : scale })}
    />
  );
}
