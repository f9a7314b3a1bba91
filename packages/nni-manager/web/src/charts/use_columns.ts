/** The columns of the experiment shown, asked for again when it has changed. */

import { useMemo } from "preact/hooks";
import { client } from "../api/client";
import { type Answer, useColumnsQuery, useLiveQuery } from "../api/query";
import { shownExperiment } from "../app/router";
import { type Column, Column_Source } from "../generated/nni_proto/v1/trial_table_pb";
import { type ColumnInfo, infoOf, type TrialTable, tableOf } from "./table";

/** The columns by where they come from. */
export interface Columns {
  all: readonly Column[];
  infos: ColumnInfo[];
  parameters: string[];
  /** The objective and the entries of final results. */
  metrics: string[];
}

const NO_COLUMNS: Columns = { all: [], infos: [], parameters: [], metrics: ["objective"] };

/** Returns the columns sorted by where they come from. */
export function columnsOf(columns: readonly Column[]): Columns {
  const named = (source: Column_Source) =>
    columns.filter((column) => column.source === source).map((column) => column.name);
  return {
    all: columns,
    infos: columns.map(infoOf),
    parameters: named(Column_Source.PARAMETER),
    metrics: ["objective", ...named(Column_Source.METRIC)],
  };
}

/** Asks which columns there are. */
export function useColumns(): Columns & { problem: string | undefined } {
  const parent = shownExperiment.value;
  const answer = useColumnsQuery(`columns ${parent}`, async (signal) =>
    columnsOf((await client.listColumns({ parent }, { signal })).columns),
  );
  return { ...(answer.data ?? NO_COLUMNS), problem: answer.problem };
}

/**
 * Asks for columns of trials.
 *
 * @param names The columns, at most 200.
 * @param filter Only trials that it holds for.
 * @param infos What is known of the columns.
 * @param maxTrials At most this many trials, evenly spaced.
 */
export function useTable(
  names: readonly string[],
  filter: string,
  infos: readonly ColumnInfo[],
  maxTrials: number,
): Answer<TrialTable> {
  const parent = shownExperiment.value;
  const columns = [...new Set(names)].slice(0, 200);
  const answer = useLiveQuery(JSON.stringify([parent, columns, filter, maxTrials]), (signal) =>
    client.readColumns({ parent, columns, filter, maxTrials }, { signal }),
  );
  const data = useMemo(() => answer.data && tableOf(answer.data, infos), [answer.data, infos]);
  return { ...answer, data };
}
