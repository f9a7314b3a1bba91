/** What the table shows of a trial in each of its columns. */

import { jsonText, leaves, numberOf } from "../../api/values";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";
import { Trial_ParameterSource } from "../../generated/nni_proto/v1/trial_pb";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import { Column_Kind, Column_Source } from "../../generated/nni_proto/v1/trial_table_pb";
import type { Value } from "../../generated/nni_proto/v1/value_pb";
import { secondsOf } from "../../ui/format";
import { filterName } from "../../ui/statuses";

/** What a trial has in a column: a number, a text, or nothing. */
export type Cell = number | string | undefined;

const SOURCES: Record<Trial_ParameterSource, string> = {
  [Trial_ParameterSource.UNSPECIFIED]: "",
  [Trial_ParameterSource.ALGORITHM]: "ALGORITHM",
  [Trial_ParameterSource.CUSTOMIZED]: "CUSTOMIZED",
  [Trial_ParameterSource.INITIAL]: "INITIAL",
};

const OF_TRIAL: Record<string, (trial: Trial) => Cell> = {
  number: (trial) => trial.sequenceNumber,
  id: (trial) => trial.name.slice(trial.name.lastIndexOf("/") + 1),
  status: (trial) => filterName(trial.status),
  objective: (trial) => trial.objective,
  duration: (trial) => durationOf(trial),
  created: (trial) => secondsOf(trial.createTime),
  started: (trial) => secondsOf(trial.startTime),
  ended: (trial) => secondsOf(trial.endTime),
  attempt: (trial) => trial.attempt,
  host: (trial) => trial.host || undefined,
  gpus: (trial) => trial.gpus.join(",") || undefined,
  reason: (trial) => trial.endReason?.message || trial.waitingReason || undefined,
  source: (trial) => SOURCES[trial.parameterSource],
  intermediates: (trial) => trial.intermediateCount,
};

const METRIC = "metric.";
const INTERMEDIATE = "intermediate.";
const PARAMETER = "parameter.";
/** The entry of a result that the tuner is told; a plain number is it as well. */
const DEFAULT = "default";

/** Returns how long a trial ran, or has run so far, in seconds. */
export function durationOf(trial: Trial, now: number = Date.now() / 1000): number | undefined {
  const start = secondsOf(trial.startTime);
  if (start === undefined) return undefined;
  return Math.max(0, (secondsOf(trial.endTime) ?? now) - start);
}

/** Returns what a trial has in a column. */
export function cellOf(trial: Trial, column: Pick<Column, "name" | "source">): Cell {
  const { name } = column;
  switch (column.source) {
    case Column_Source.TRIAL:
      return OF_TRIAL[name]?.(trial);
    case Column_Source.PARAMETER:
      return found(
        leaves(trial.parameters),
        name.startsWith(PARAMETER) ? name.slice(PARAMETER.length) : name,
      );
    case Column_Source.METRIC:
      return entry(trial.finalResult, name.slice(METRIC.length));
    case Column_Source.INTERMEDIATE:
      return entry(trial.latestIntermediate, name.slice(INTERMEDIATE.length));
    default:
      return undefined;
  }
}

/** Returns the value at a path as a cell: numbers as such, text as it is, all else as JSON. */
export function cellOfValue(value: Value | undefined): Cell {
  if (value === undefined) return undefined;
  const number = numberOf(value);
  if (number !== undefined) return number;
  return value.kind.case === "stringValue" ? value.kind.value : jsonText(value);
}

/** Whether a column's values stand at the right. */
export function isNumeric(column: Pick<Column, "kind">): boolean {
  return column.kind !== Column_Kind.TEXT;
}

function entry(result: Value | undefined, key: string): Cell {
  if (result === undefined) return undefined;
  if (result.kind.case !== "objectValue") return key === DEFAULT ? cellOfValue(result) : undefined;
  return found(leaves(result), key);
}

function found(all: { path: string; value: Value }[], path: string): Cell {
  return cellOfValue(all.find((leaf) => leaf.path === path)?.value);
}
