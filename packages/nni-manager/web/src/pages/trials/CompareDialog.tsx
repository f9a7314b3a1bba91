import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { leaves } from "../../api/values";
import { later } from "../../app/later";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";
import { Dialog } from "../../ui/Dialog";
import { formatDuration, formatNumber } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { trialLook } from "../../ui/statuses";
import { visible } from "../../ui/text";
import { type Cell, cellOfValue, durationOf } from "./cells";

const TrialCurves = later(async () => (await import("./TrialCurves")).TrialCurves);

/** How many trials are compared at most: more columns nobody reads. */
export const MOST_COMPARED = 20;

/** Some trials side by side: what differs is marked, and their curves are in one chart. */
export function CompareDialog(props: { parent: string; names: readonly string[]; onClose: () => void }) {
  const { parent, names, onClose } = props;
  const answer = useLiveQuery(`compare ${names.join(" ")}`, async (signal) => {
    const answers = await Promise.all(names.map((name) => client.getTrial({ name }, { signal })));
    return answers.flatMap((one) => one.trial ?? []);
  });
  const trials = answer.data ?? [];
  return (
    <Dialog title={`Compare ${names.length} trials`} size="wide" onClose={onClose}>
      {answer.problem !== undefined && <p class="problem">{answer.problem}</p>}
      {trials.length > 0 && (
        <div class="compare-scroller">
          <table class="facts compare">
            <thead>
              <tr>
                <th scope="col">Trial</th>
                {trials.map((trial) => (
                  <th scope="col" key={trial.name}>
                    {trial.sequenceNumber} <StatusBadge look={trialLook(trial.status)} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <Row name="Objective" cells={trials.map((trial) => trial.objective)} />
              <Row
                name="Duration"
                cells={trials.map((trial) => {
                  const seconds = durationOf(trial);
                  return seconds === undefined ? undefined : formatDuration(seconds);
                })}
              />
              <Row name="Intermediate results" cells={trials.map((trial) => trial.intermediateCount)} />
              <Section name="Parameters" />
              <Leaves trials={trials} of={(trial) => trial.parameters} />
              <Section name="Final result" />
              <Leaves trials={trials} of={(trial) => trial.finalResult} />
            </tbody>
          </table>
        </div>
      )}
      <h3>Intermediate results</h3>
      <TrialCurves parent={parent} trials={names} />
    </Dialog>
  );
}

function Section({ name }: { name: string }) {
  return (
    <tr>
      <th scope="row" class="section">
        {name}
      </th>
    </tr>
  );
}

function Leaves({ trials, of }: { trials: readonly Trial[]; of: (trial: Trial) => Trial["parameters"] }) {
  const all = trials.map((trial) => new Map(leaves(of(trial)).map((leaf) => [leaf.path, leaf.value])));
  const paths = [...new Set(all.flatMap((one) => [...one.keys()]))];
  return (
    <>
      {paths.map((path) => (
        <Row key={path} name={path || "default"} cells={all.map((one) => cellOfValue(one.get(path)))} />
      ))}
    </>
  );
}

function Row({ name, cells }: { name: string; cells: readonly Cell[] }) {
  const differs = cells.some((cell) => !Object.is(cell, cells[0]));
  return (
    <tr class={differs ? "differs" : undefined}>
      <th scope="row">
        {visible(name)}
        {differs && <span class="only-read-aloud"> (differs)</span>}
      </th>
      {cells.map((cell, at) => (
        <td key={at} class="numeric">
          {typeof cell === "number" ? formatNumber(cell) : visible(cell ?? "")}
        </td>
      ))}
    </tr>
  );
}
