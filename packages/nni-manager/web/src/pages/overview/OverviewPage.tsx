import { experiment, missing } from "../../api/live";
import { later } from "../../app/later";
import { BestTrial } from "./BestTrial";
import { Counts } from "./Counts";
import { Facts } from "./Facts";
import { LastFailure } from "./LastFailure";
import { Limits } from "./Limits";
import { TopTrials } from "./TopTrials";
import "./overview.css";

// The charts' library is larger than the rest of the page; the figures do not wait for it.
const ObjectiveHistory = later(async () => (await import("../../charts/ObjectiveHistory")).ObjectiveHistory);

/** How the experiment goes. */
export function OverviewPage() {
  const shown = experiment.value;
  if (shown === undefined) return missing.value === undefined ? <p class="quiet">Loading ...</p> : null;
  return (
    <div class="overview">
      <Counts shown={shown} />
      <BestTrial shown={shown} />
      <Limits shown={shown} />
      <LastFailure shown={shown} />
      <section class="card history" aria-label="Objective over trials">
        <h2>Objective</h2>
        <ObjectiveHistory compact />
      </section>
      <TopTrials shown={shown} />
      <Facts shown={shown} />
    </div>
  );
}
