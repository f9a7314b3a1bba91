import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { href } from "../../app/router";
import { type Experiment, Experiment_Status } from "../../generated/nni_proto/v1/experiment_pb";
import { Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { Copy } from "../../ui/Copy";
import { visible } from "../../ui/text";

/** Why the newest of the failed trials failed, with what it wrote last; nothing while none has failed. */
export function LastFailure({ shown }: { shown: Experiment }) {
  const some = shown.trialCounts.some((one) => one.status === Trial_Status.FAILED && one.count > 0);
  return some ? <Failure shown={shown} /> : null;
}

function Failure({ shown }: { shown: Experiment }) {
  const { data } = useLiveQuery(
    `last failure of ${shown.name}`,
    (signal) =>
      client.listTrials(
        { parent: shown.name, pageSize: 1, filter: "status = FAILED", orderBy: "ended desc, number desc" },
        { signal },
      ),
    true,
  );
  const trial = data?.trials[0];
  if (trial?.endReason === undefined) return null;
  const { message, stderrTail } = trial.endReason;
  const query = new URLSearchParams({ filter: `number = ${trial.sequenceNumber}` });
  return (
    <section class="card failure" aria-label="Last failure">
      <h2>Last failure</h2>
      <p>
        <a href={href("trials", "", query)}>Trial {trial.sequenceNumber}</a> failed: {visible(message)}
      </p>
      {stderrTail !== "" && (
        <details open={shown.status === Experiment_Status.ERROR}>
          <summary>What it wrote last</summary>
          <pre class="code">{visible(stderrTail)}</pre>
          <Copy text={stderrTail} label="Copy what it wrote last" />
        </details>
      )}
    </section>
  );
}
