import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { secondsSinceRead } from "../../app/clock";
import { goesOn, progressOf, secondsLeft } from "../../app/progress";
import { href } from "../../app/router";
import type { Experiment } from "../../generated/nni_proto/v1/experiment_pb";
import { formatDuration, formatShare } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { filterName, TRIAL_STATUSES } from "../../ui/statuses";
import { visible } from "../../ui/text";
import { meanDuration } from "./mean_duration";

const SAMPLE = 500;

/** How many trials there are of each status, how far the experiment is, and how long it may still take. */
export function Counts({ shown }: { shown: Experiment }) {
  const since = secondsSinceRead();
  const { ended, most, seconds, mostSeconds, share } = progressOf(shown, since);
  const mean = useMeanDuration(shown.name);
  const left = secondsLeft(shown, mean, since);
  return (
    <section class="card" aria-label="Progress">
      <h2>Trials</h2>
      <p class="figure">
        {most === undefined ? ended : `${ended} of ${most}`} <span class="quiet">ended</span>
        {share !== undefined && <span class="quiet"> · {formatShare(share)}</span>}
      </p>
      <StatusBar shown={shown} />
      <ul class="counts">
        {[...TRIAL_STATUSES].map(([status, look]) => {
          const count = shown.trialCounts.find((one) => one.status === status)?.count ?? 0;
          if (count === 0) return null;
          const query = new URLSearchParams({ filter: `status = ${filterName(status)}` });
          return (
            <li key={status}>
              <a href={href("trials", "", query)} class={`tone-${look.tone}`}>
                <Icon name={look.icon} />
                {look.word} <strong>{count}</strong>
              </a>
            </li>
          );
        })}
      </ul>
      <dl class="pairs">
        <dt>Running for</dt>
        <dd>
          {formatDuration(seconds)}
          {mostSeconds !== undefined && <span class="quiet"> of {formatDuration(mostSeconds)}</span>}
        </dd>
        {left !== undefined && (
          <>
            <dt>Time left</dt>
            <dd>about {formatDuration(left)}</dd>
          </>
        )}
        {mean !== undefined && (
          <>
            <dt>A trial takes</dt>
            <dd>about {formatDuration(mean)}</dd>
          </>
        )}
        {shown.endReason !== undefined && shown.endReason.message !== "" && (
          <>
            <dt>{goesOn(shown) ? "Why it ends" : "Why it ended"}</dt>
            <dd>{visible(shown.endReason.message)}</dd>
          </>
        )}
      </dl>
    </section>
  );
}

function StatusBar({ shown }: { shown: Experiment }) {
  return (
    <div class="status-bar" aria-hidden="true">
      {[...TRIAL_STATUSES].map(([status, look]) => {
        const count = shown.trialCounts.find((one) => one.status === status)?.count ?? 0;
        return count === 0 ? null : (
          <span key={status} class={`back-${look.tone}`} style={{ flexGrow: count }} />
        );
      })}
    </div>
  );
}

function useMeanDuration(parent: string): number | undefined {
  const { data } = useLiveQuery(
    `durations of ${parent}`,
    (signal) =>
      client.readColumns(
        {
          parent,
          columns: ["duration"],
          filter: "status in (SUCCEEDED, FAILED, EARLY_STOPPED)",
          maxTrials: SAMPLE,
        },
        { signal },
      ),
    true,
  );
  return data === undefined ? undefined : meanDuration(data.columns[0]?.numbers ?? []);
}
