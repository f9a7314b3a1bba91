import { client } from "../../api/client";
import { maySteer } from "../../app/router";
import { Button } from "../../ui/Button";
import { toast } from "../../ui/Toast";
import { counted } from "../../ui/text";
import { MOST_COMPARED } from "./CompareDialog";
import { mayChangeTrials } from "./may_change";
import { canBeStopped, kill } from "./TrialActions";

/** What can be done with the trials that are marked. */
export interface SelectionBarProps {
  names: readonly string[];
  /** How many trials the filter holds for. */
  total: number;
  onAll: () => void;
  onNone: () => void;
  onCompare: () => void;
  onTensorBoard: () => void;
}

/** The line that is there while trials are marked. */
export function SelectionBar(props: SelectionBarProps) {
  const { names, total } = props;
  async function killThem(): Promise<void> {
    const answers = await Promise.all(names.map((name) => client.getTrial({ name })));
    const running = answers.flatMap((answer) => answer.trial ?? []).filter(canBeStopped);
    if (running.length === 0) toast("All of them have ended.");
    else await kill(running);
  }
  return (
    <div class="selection-bar" role="region" aria-label="Selected trials">
      <strong aria-live="polite">{counted(names.length, "trial")} selected</strong>
      <Button
        icon="columns"
        disabled={names.length < 2 || names.length > MOST_COMPARED}
        title={`Between 2 and ${MOST_COMPARED} can be compared`}
        onClick={props.onCompare}
      >
        Compare
      </Button>
      {maySteer.value && (
        <Button icon="chart" onClick={props.onTensorBoard}>
          TensorBoard
        </Button>
      )}
      {mayChangeTrials.value && (
        <Button kind="danger" icon="stop" onClick={killThem}>
          Kill
        </Button>
      )}
      {names.length < total && (
        <Button kind="quiet" onClick={props.onAll}>
          Select all {total.toLocaleString("en")}
        </Button>
      )}
      <Button kind="quiet" icon="cross" onClick={props.onNone}>
        Select none
      </Button>
    </div>
  );
}
