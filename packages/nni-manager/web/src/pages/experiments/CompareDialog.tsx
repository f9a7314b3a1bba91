import type { ComponentChildren } from "preact";
import { lazy, Suspense } from "preact/compat";
import { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { Dialog } from "../../ui/Dialog";
import { formatDuration, formatNumber, formatTime } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { counted, visible } from "../../ui/text";
import { countOf, type Listed, secondsFromStart } from "./listed";

const BestCurves = lazy(async () => (await import("./BestCurves")).BestCurves);

/** Some experiments side by side, with the best so far of each in one chart. */
export function CompareDialog(props: { experiments: readonly Listed[]; now: number; onClose: () => void }) {
  const { experiments, now, onClose } = props;
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
      <Suspense fallback={<p class="quiet">Loading ...</p>}>
        <BestCurves experiments={experiments} />
      </Suspense>
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
                  <td key={one.name} class={isBest(name, one, experiments) ? "is-best" : undefined}>
                    {cell(one)}
                    {isBest(name, one, experiments) && <span class="quiet"> (best of these)</span>}
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

/** Whether a cell has the best result of all; experiments that go in different directions have none. */
function isBest(row: string, one: Listed, all: readonly Listed[]): boolean {
  if (row !== "Best" || one.best === undefined) return false;
  if (all.some((other) => other.minimize !== one.minimize)) return false;
  const values = all.flatMap((other) => other.best ?? []);
  return one.best === (one.minimize ? Math.min(...values) : Math.max(...values));
}
