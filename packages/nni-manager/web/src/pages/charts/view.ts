/** What every view of the charts page gets. */

import type { Columns } from "../../charts/use_columns";
import type { Settings } from "./settings_text";

/** What a view is made of. */
export interface ViewProps {
  columns: Columns;
  filter: string;
  settings: Settings;
  change: (change: Settings) => void;
  /** Gets the filter that holds for what was selected on the chart; "" for nothing. */
  onSelection: (filter: string) => void;
  /** Goes to a trial. */
  onTrial: (trial: string) => void;
  /** Gets why the service refused the last question, undefined when it did not. */
  onProblem: (problem: string | undefined) => void;
}
