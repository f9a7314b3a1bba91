import { experiment } from "../../api/live";

/** How the experiment goes. */
export function OverviewPage() {
  return <h1>{experiment.value?.name ?? "Loading ..."}</h1>;
}
