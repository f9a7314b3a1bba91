/** The document's title: how the experiment goes, readable from the tab of a browser. */

import { effect } from "@preact/signals";
import { connection, experiment } from "../api/live";
import { idOf } from "../api/page_facts";
import type { Experiment } from "../generated/nni_proto/v1/experiment_pb";
import { formatNumber } from "../ui/format";
import { experimentLook } from "../ui/statuses";
import { visible } from "../ui/text";
import { goesOn, progressOf } from "./progress";

/** Returns the title for an experiment. */
export function titleOf(shown: Experiment, live: boolean): string {
  const { ended, most } = progressOf(shown);
  const name = visible(shown.config?.experimentName || idOf(shown.name));
  const best = shown.bestTrial?.objective;
  const status = goesOn(shown)
    ? shown.paused
      ? "paused"
      : ""
    : experimentLook(shown.status).word.toLowerCase();
  const facts = [
    status,
    most === undefined ? `${ended} trials` : `${ended}/${most}`,
    best === undefined ? "" : `best ${formatNumber(best, 4)}`,
    live ? "" : "out of date",
  ];
  return `${facts.filter((fact) => fact !== "").join(", ")} - ${name}`;
}

effect(() => {
  const { state } = connection.value;
  if (experiment.value !== undefined) {
    document.title = titleOf(experiment.value, state === "live" || state === "ended");
  }
});
