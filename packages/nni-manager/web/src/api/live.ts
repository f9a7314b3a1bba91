/** The experiment that the page shows, kept up to date by a stream. Pages read these signals. */

import { Code, ConnectError } from "@connectrpc/connect";
import { effect, signal, untracked } from "@preact/signals";
import { type Experiment, Experiment_Status } from "../generated/nni_proto/v1/experiment_pb";
import { client, problemText } from "./client";
import { forgetColumns, noteColumns } from "./column_changes";
import { mergeExperiment } from "./merge_experiment";
import { keepTrying } from "./retrying";

/** How up to date what is shown is. */
export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  /** The stream broke and is tried again; what is shown is as old as `since`. */
  | { state: "reconnecting"; since: Date; problem: string }
  /** The sign-in is not good (any more). */
  | { state: "signed out"; since: Date }
  /** The experiment is over and its manager has ended: what is shown is final. */
  | { state: "ended" };

/** The experiment, undefined until the first answer. */
export const experiment = signal<Experiment | undefined>();
/** The revision that is known to the page; it rises with every change. */
export const revision = signal(0n);
/** How up to date all of it is. */
export const connection = signal<Connection>({ state: "connecting" });
/** How often the page has got into touch with the manager: after each time, all that is shown is asked anew. */
export const connections = signal(0);
/** Why the experiment cannot be shown at all, such as that there is none of this id. */
export const missing = signal<string | undefined>();

/** Whether this page stopped the experiment: then its manager is expected to go. */
export const stoppedHere = signal(false);

const OVER = new Set([Experiment_Status.STOPPED, Experiment_Status.VIEWED]);

/**
 * Shows an experiment from now on.
 *
 * @param name Its resource name.
 * @returns Ends the watch.
 */
export function watch(name: string): () => void {
  const end = new AbortController();
  experiment.value = undefined;
  missing.value = undefined;
  revision.value = 0n;
  stoppedHere.value = false;
  connection.value = { state: "connecting" };
  void keepTrying(
    end.signal,
    (answered) => watchOnce(name, end.signal, answered),
    (error) => (error === undefined ? broken("the manager ended the connection") : failed(error)),
  );
  return () => end.abort();
}

async function watchOnce(name: string, end: AbortSignal, answered: () => void): Promise<void> {
  const first = (await client.getExperiment({ name }, { signal: end })).experiment;
  if (first === undefined || end.aborted) return;
  missing.value = undefined;
  experiment.value = first;
  revision.value = first.revision;
  connection.value = { state: "live" };
  connections.value += 1;
  forgetColumns();
  stoppedHere.value = false;
  for await (const step of client.watchExperiment({ name, afterRevision: first.revision }, { signal: end })) {
    answered();
    if (end.aborted) return;
    if (step.experiment !== undefined) experiment.value = mergeExperiment(experiment.value, step.experiment);
    noteColumns(step.trials);
    revision.value = step.revision;
  }
}

function failed(error: unknown): void {
  const failure = ConnectError.from(error);
  if (failure.code === Code.Unauthenticated) {
    const { value } = connection;
    connection.value = { state: "signed out", since: "since" in value ? value.since : new Date() };
    return;
  }
  if (failure.code === Code.NotFound || failure.code === Code.InvalidArgument) {
    missing.value = failure.rawMessage;
  }
  broken(problemText(error));
}

function broken(problem: string): void {
  const { value } = connection;
  if (stoppedHere.value || (experiment.value !== undefined && OVER.has(experiment.value.status))) {
    connection.value = { state: "ended" };
  } else {
    connection.value = {
      state: "reconnecting",
      since: "since" in value ? value.since : new Date(),
      problem,
    };
  }
}

/** Calls back now, and when anything may have changed. Returns what ends that. */
export function onRevision(callback: (revision: bigint) => void): () => void {
  return effect(() => {
    connections.value;
    const known = revision.value;
    untracked(() => callback(known));
  });
}
