import { correlation } from "../../charts/correlation";
import { TableChart } from "./TableChart";
import type { ViewProps } from "./view";

const MOST = 5_000;
const MOST_COLUMNS = 30;

/** Rank correlations of parameters and metrics. */
export function CorrelationView(props: ViewProps) {
  const { columns } = props;
  const names = [...columns.metrics, ...columns.parameters, "duration"].slice(0, MOST_COLUMNS);
  return (
    <TableChart
      {...props}
      title="Rank correlation (Spearman)"
      names={names}
      maxTrials={MOST}
      deps=""
      picture={(table, frame) => correlation({ table, columns: names }, frame)}
    />
  );
}
