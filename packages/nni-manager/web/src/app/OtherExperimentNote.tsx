import { missing } from "../api/live";
import { idOf, ownExperiment } from "../api/page_facts";
import { Icon } from "../ui/Icon";
import { href, shownExperiment } from "./router";

/** Says that another experiment is shown than the one that the manager runs, and leads back. */
export function OtherExperimentNote() {
  const name = shownExperiment.value;
  if (name === ownExperiment) return null;
  return (
    <div class="note">
      <Icon name="eye" />
      <div>
        {missing.value === undefined && (
          <>
            This is the experiment <code>{idOf(name)}</code>, opened read-only.{" "}
          </>
        )}
        <a href={href("overview", "", undefined, ownExperiment)}>Back to this manager's experiment</a>
      </div>
    </div>
  );
}
