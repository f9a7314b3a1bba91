import { href } from "../../app/router";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { narrowed } from "../trials/view";

/** What was selected on a chart, as a filter, and what can be done with it. */
export function Selection(props: { selection: string; filter: string; onFilter: (filter: string) => void }) {
  const { selection, filter, onFilter } = props;
  if (selection === "") return null;
  const whole = narrowed(filter, selection);
  return (
    <aside class="chart-selection" aria-label="Selection" aria-live="polite">
      <code>{selection}</code>
      <Copy text={whole} label="Copy the filter" />
      <Button icon="filter" onClick={() => onFilter(whole)}>
        Show only these
      </Button>
      <a class="button plain" href={href("trials", "", new URLSearchParams({ filter: whole }))}>
        <Icon name="columns" /> Open in the trials table
      </a>
    </aside>
  );
}
