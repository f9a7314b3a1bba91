/** All experiments of the folder, kept up to date by a stream. */

import { signal } from "@preact/signals";
import { client, problemText } from "../../api/client";
import { keepTrying } from "../../api/retrying";
import type { ExperimentSummary } from "../../generated/nni_proto/v1/experiment_summary_pb";
import { type Listed, listedOf } from "./listed";

/** What is known of the folder. */
export interface Known {
  /** The experiments, the newest first; undefined before the first answer. */
  all: readonly Listed[] | undefined;
  /** Since when and why this is out of date, undefined while it is not. */
  stale: { since: Date; problem: string } | undefined;
}

/** The experiments of the folder. What was known stays when nobody watches any more. */
export const experiments = signal<Known>({ all: undefined, stale: undefined });

let listed: ReadonlyMap<string, Listed> = new Map();
let revision = "";

/** Watches the folder from now on. Returns what ends that. */
export function watchExperiments(): () => void {
  const end = new AbortController();
  void keepTrying(
    end.signal,
    (answered) => watchOnce(end.signal, answered),
    (error) => {
      const problem = error === undefined ? "the manager ended the connection" : problemText(error);
      const { all, stale } = experiments.value;
      experiments.value = { all, stale: { since: stale?.since ?? new Date(), problem } };
    },
  );
  return () => end.abort();
}

/** Takes an experiment off the list that was just deleted here. */
export function forget(name: string): void {
  listed = new Map([...listed].filter(([known]) => known !== name));
  show(experiments.value.stale);
}

async function watchOnce(end: AbortSignal, answered: () => void): Promise<void> {
  let changed: ExperimentSummary[] = [];
  for await (const step of client.watchExperiments({ afterRevision: revision }, { signal: end })) {
    if (end.aborted) return;
    answered();
    changed.push(...step.experiments);
    if (step.revision === "") continue; // The next one goes on with what changed.
    const next = new Map(step.whole ? [] : listed);
    for (const one of changed) next.set(one.name, listedOf(one));
    for (const name of step.removed) next.delete(name);
    changed = [];
    listed = next;
    revision = step.revision;
    show(undefined);
  }
}

function show(stale: Known["stale"]): void {
  const all = [...listed.values()].sort(
    (one, other) => (other.created ?? 0) - (one.created ?? 0) || (one.id < other.id ? 1 : -1),
  );
  experiments.value = { all, stale };
}
