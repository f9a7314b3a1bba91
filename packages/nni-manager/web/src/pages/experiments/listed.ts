/** The experiments of the folder as the page lists, filters and sorts them. */

import { idOf } from "../../api/page_facts";
import { Experiment_Status } from "../../generated/nni_proto/v1/experiment_pb";
import type { ExperimentSummary } from "../../generated/nni_proto/v1/experiment_summary_pb";
import type { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { secondsOf } from "../../ui/format";
import { experimentLook, type StatusLook } from "../../ui/statuses";
import type { ExperimentsView, SortKey } from "./view";

/** An experiment of the list. */
export interface Listed {
  /** Its resource name. */
  name: string;
  id: string;
  /** The name that its configuration gives it, its id when there is none. */
  title: string;
  look: StatusLook;
  /** Whether a manager runs it. */
  running: boolean;
  /** Whether it is the one of this page's manager. */
  own: boolean;
  platform: string;
  algorithm: string;
  minimize: boolean;
  /** When it was created, in seconds since 1970. */
  created: number | undefined;
  started: number | undefined;
  ended: number | undefined;
  /** How many trials there are of each status. */
  counts: ReadonlyMap<Trial_Status, number>;
  trials: number;
  best: number | undefined;
  /** In bytes. */
  size: number | undefined;
  directory: string;
  /** Why its record cannot be read, "" when it can. */
  problem: string;
}

const BROKEN: StatusLook = { word: "Broken", tone: "failed", icon: "warning" };

/** Returns an experiment as the list has it. */
export function listedOf(summary: ExperimentSummary): Listed {
  const id = idOf(summary.name);
  const counts = new Map(summary.trialCounts.map((one) => [one.status, one.count]));
  const known = summary.status !== Experiment_Status.UNSPECIFIED;
  return {
    name: summary.name,
    id,
    title: summary.title || id,
    look: summary.problem !== "" && !known ? BROKEN : experimentLook(summary.status),
    running: summary.running,
    own: summary.own,
    platform: summary.platforms.join(", "),
    algorithm: summary.algorithm,
    minimize: summary.optimizeMode === "minimize",
    created: secondsOf(summary.createTime),
    started: secondsOf(summary.startTime),
    ended: secondsOf(summary.endTime),
    counts,
    trials: [...counts.values()].reduce((sum, count) => sum + count, 0),
    best: summary.bestObjective,
    size: summary.size === undefined ? undefined : Number(summary.size),
    directory: summary.directory,
    problem: summary.problem,
  };
}

/** Returns how many seconds lie between its start and its end, or now while a manager runs it. */
export function secondsFromStart(one: Listed, now: number): number | undefined {
  if (one.started === undefined) return undefined;
  const end = one.running ? now : one.ended;
  return end === undefined ? undefined : Math.max(0, end - one.started);
}

/** Returns how many of its trials have one of these statuses. */
export function countOf(one: Listed, ...statuses: Trial_Status[]): number {
  return statuses.reduce((sum, status) => sum + (one.counts.get(status) ?? 0), 0);
}

/** Returns those with the best result; none when all are equal or when some minimize and others maximize. */
export function bestOf(all: readonly Listed[]): ReadonlySet<Listed> {
  const [first] = all;
  if (first === undefined || all.some((one) => one.minimize !== first.minimize)) return new Set();
  const values = all.flatMap((one) => one.best ?? []);
  const best = first.minimize ? Math.min(...values) : Math.max(...values);
  const those = all.filter((one) => one.best === best);
  return new Set(those.length < all.length ? those : []);
}

const STATE_WORDS: Record<string, (one: Listed) => boolean> = {
  running: (one) => one.running,
  "not running": (one) => !one.running,
};

/** Returns what the list can be narrowed to by status, the words of statuses only where some have them. */
export function statesOf(all: readonly Listed[]): string[] {
  const words = [...new Set(all.map((one) => one.look.word))].sort();
  return [...Object.keys(STATE_WORDS), ...words];
}

/** Returns the platforms that experiments use. */
export function platformsOf(all: readonly Listed[]): string[] {
  return [...new Set(all.flatMap((one) => one.platform.split(", ").filter(Boolean)))].sort();
}

/**
 * Returns the experiments that are asked for, in the order asked for.
 *
 * @param all The experiments, the newest first.
 * @param view What is asked for.
 * @param now In seconds since 1970.
 */
export function shownOf(all: readonly Listed[], view: ExperimentsView, now: number): Listed[] {
  const words = view.text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = all.filter((one) => {
    const text = [one.title, one.id, one.algorithm, one.platform, one.directory, one.problem]
      .join("\n")
      .toLowerCase();
    if (!words.every((word) => text.includes(word))) return false;
    if (view.state !== "" && !(STATE_WORDS[view.state]?.(one) ?? one.look.word === view.state)) return false;
    if (view.platform !== "" && !one.platform.split(", ").includes(view.platform)) return false;
    return view.days === 0 || (one.created ?? 0) >= now - view.days * 86_400;
  });
  return shown.sort((one, other) => compared(one, other, view.sort, now));
}

type Sortable = string | number | undefined;

const SORTED_BY: Record<string, (one: Listed, now: number) => Sortable> = {
  name: (one) => one.title.toLowerCase(),
  status: (one) => one.look.word,
  best: (one) => one.best,
  trials: (one) => one.trials,
  tuner: (one) => one.algorithm.toLowerCase(),
  platform: (one) => one.platform,
  created: (one) => one.created,
  duration: secondsFromStart,
  size: (one) => one.size,
};

/** Compares as the first column does in which they differ; what has no value comes last either way. */
function compared(one: Listed, other: Listed, sort: readonly SortKey[], now: number): number {
  for (const { column, descending } of sort) {
    const [left, right] = [SORTED_BY[column]?.(one, now), SORTED_BY[column]?.(other, now)];
    if (left === right) continue;
    if (left === undefined) return 1;
    if (right === undefined) return -1;
    const order = left < right ? -1 : 1;
    return descending ? -order : order;
  }
  return 0;
}
