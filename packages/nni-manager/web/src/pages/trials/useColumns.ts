import { useMemo } from "preact/hooks";
import { client } from "../../api/client";
import { useColumnsQuery } from "../../api/query";
import type { Column } from "../../generated/nni_proto/v1/trial_table_pb";
import { remembered } from "../../ui/storage";
import { type ColumnChoice, isChoice } from "./shown_columns";

/** Returns the columns that an experiment's trials have. */
export function useColumns(parent: string): readonly Column[] {
  const answer = useColumnsQuery(`columns ${parent}`, async (signal) => {
    return (await client.listColumns({ parent }, { signal })).columns;
  });
  return answer.data ?? [];
}

/** Returns the remembered choice of columns of an experiment's table. */
export function useColumnChoice(parent: string) {
  return useMemo(
    () =>
      remembered<ColumnChoice | undefined>(
        `columns.${parent}`,
        undefined,
        (value): value is ColumnChoice | undefined => value === undefined || isChoice(value),
      ),
    [parent],
  );
}
