import { Button } from "../../ui/Button";
import { counted } from "../../ui/text";
import type { Listed } from "./listed";

/** How many experiments are compared at most: there are as many colours. */
export const MOST_COMPARED = 8;

/** What can be done with the experiments that are marked. */
export function SelectionBar(props: {
  selected: readonly Listed[];
  onOpen: (one: Listed) => void;
  onCompare: () => void;
  onDelete: (one: Listed) => void;
  onNone: () => void;
}) {
  const { selected } = props;
  const readable = selected.filter((one) => one.problem === "").length;
  const [one] = selected;
  const single = selected.length === 1 ? one : undefined;
  const mayGo = single !== undefined && !single.running && !single.own;
  return (
    <div class="experiments-selection" role="region" aria-label="Selected experiments">
      <strong aria-live="polite">{counted(selected.length, "experiment")} selected</strong>
      <Button
        icon="right"
        disabled={single === undefined || single.problem !== ""}
        onClick={() => single !== undefined && props.onOpen(single)}
      >
        Open
      </Button>
      <Button
        icon="chart"
        disabled={readable < 2 || readable > MOST_COMPARED}
        title={`Between 2 and ${MOST_COMPARED} can be compared`}
        onClick={props.onCompare}
      >
        Compare
      </Button>
      <Button
        kind="danger"
        icon="trash"
        disabled={!mayGo}
        title={mayGo ? undefined : "One at a time, and none that a manager runs or shows"}
        onClick={() => single !== undefined && props.onDelete(single)}
      >
        Delete
      </Button>
      <Button kind="quiet" icon="cross" onClick={props.onNone}>
        Select none
      </Button>
    </div>
  );
}
