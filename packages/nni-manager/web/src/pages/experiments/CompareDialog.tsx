import type { ComponentChildren } from "preact";
import { later } from "../../app/later";
import { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { Dialog } from "../../ui/Dialog";
import { formatDuration, formatNumber, formatTime } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { counted, visible } from "../../ui/text";
import { bestOf, countOf, type Listed, secondsFromStart } from "./listed";

const BestCurves = later(async () => (await import("./BestCurves")).BestCurves);

/** Some experiments side by side, with the best so far of each in one chart. */
export function CompareDialog(props: { experiments: readonly Listed[]; now: number; onClose: () => void }) {
  const { experiments, now, onClose } = props;
  const best = bestOf(experiments);
  const rows: [string, (one: Listed) => ComponentChildren][] = [
    ["Status", (one) => <StatusBadge look={one.look} />],
    ["Best", (one) => (one.best === undefined ? "none yet" : formatNumber(one.best))],
    ["Better is", (one) => (one.minimize ? "lower" : "higher")],
    ["Trials", (one) => one.trials],
    ["Succeeded", (one) => countOf(one, Trial_Status.SUCCEEDED)],
    ["Failed", (one) => countOf(one, Trial_Status.FAILED)],
    ["Stopped early", (one) => countOf(one, Trial_Status.EARLY_STOPPED)],
    ["Canceled", (one) => countOf(one, Trial_Status.USER_CANCELED, Trial_Status.SYS_CANCELED)],
    ["Tuner", (one) => visible(one.algorithm)],
    ["Platform", (one) => visible(one.platform)],
    ["Started", (one) => (one.started === undefined ? "" : formatTime(one.started))],
    [
      "Duration",
      (one) => {
        const seconds = secondsFromStart(one, now);
        return seconds === undefined ? "" : formatDuration(seconds);
      },
    ],
  ];
  return (
    <Dialog title={`Compare ${counted(experiments.length, "experiment")}`} size="wide" onClose={onClose}>
      <BestCurves experiments={experiments} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls can be scrolled by keyboard */}
      <section class="experiments-compare" tabIndex={0} aria-label="The experiments side by side">
        <table>
          <thead>
            <tr>
              <th scope="col">Experiment</th>
              {experiments.map((one) => (
                <th scope="col" key={one.name}>
                  {visible(one.title)}
                  {one.title !== one.id && <code class="quiet"> {one.id}</code>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, cell]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {experiments.map((one) => (
                  <td key={one.name} class={name === "Best" && best.has(one) ? "is-best" : undefined}>
                    {cell(one)}
                    {name === "Best" && best.has(one) && <span class="quiet"> (best of these)</span>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Dialog>
  );
}
