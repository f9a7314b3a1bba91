import { experiment } from "../../api/live";
import { filterName, TRIAL_STATUSES } from "../../ui/statuses";
import { narrowed } from "./view";

const OWN_PART = /^status = ([A-Z_]+)(?: and (.*))?$/s;

/** One button for each status that trials have, with how many: pressed, the table shows those alone. */
export function StatusChips({ filter, onFilter }: { filter: string; onFilter: (filter: string) => void }) {
  const counts = new Map(experiment.value?.trialCounts.map((one) => [one.status, one.count]));
  const [, pressed, rest = ""] = OWN_PART.exec(filter) ?? [undefined, undefined, filter];
  return (
    <div class="chips" role="group" aria-label="Statuses">
      {[...TRIAL_STATUSES].map(([status, look]) => {
        const count = counts.get(status) ?? 0;
        const name = filterName(status);
        if (count === 0 && pressed !== name) return null;
        return (
          <button
            key={name}
            type="button"
            class={`chip tone-${look.tone}`}
            aria-pressed={pressed === name}
            onClick={() => onFilter(pressed === name ? rest : narrowed("", chosen(name, rest)))}
          >
            {look.word} {count.toLocaleString("en")}
          </button>
        );
      })}
    </div>
  );
}

function chosen(name: string, rest: string): string {
  const part = `status = ${name}`;
  if (rest.trim() === "") return part;
  return /\bor\b/i.test(rest) && !rest.startsWith("(") ? `${part} and (${rest})` : `${part} and ${rest}`;
}
