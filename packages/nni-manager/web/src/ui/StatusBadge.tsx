import { Icon } from "./Icon";
import type { StatusLook } from "./statuses";

/** A status: its icon and its word in its colour. */
export function StatusBadge({ look, more }: { look: StatusLook; more?: string | undefined }) {
  return (
    <span class={`status tone-${look.tone}`}>
      <Icon name={look.icon} />
      {look.word}
      {more}
    </span>
  );
}
