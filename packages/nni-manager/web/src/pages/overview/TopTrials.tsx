import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { jsonText, leaves } from "../../api/values";
import { href } from "../../app/router";
import type { Experiment } from "../../generated/nni_proto/v1/experiment_pb";
import type { Trial } from "../../generated/nni_proto/v1/trial_pb";
import { formatDuration, formatNumber, secondsOf } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { trialLook } from "../../ui/statuses";
import { remembered } from "../../ui/storage";
import { shortened, visible } from "../../ui/text";

const SIZES = [10, 20, 50] as const;
const PARAMETER_CHARACTERS = 160;

const size = remembered<number>("top-trials", 10, (value): value is number => SIZES.includes(value as 10));

/** The trials with the best results. */
export function TopTrials({ shown }: { shown: Experiment }) {
  const most = size.value;
  const direction = shown.optimizeMode === "minimize" ? "" : " desc";
  const { data, problem } = useLiveQuery(
    `top ${most} of ${shown.name}${direction}`,
    (signal) =>
      client.listTrials(
        {
          parent: shown.name,
          pageSize: most,
          filter: "status = SUCCEEDED and has(objective)",
          orderBy: `objective${direction}, number`,
        },
        { signal },
      ),
    true,
  );
  return (
    <section class="card top-trials" aria-label="Top trials">
      <div class="card-head">
        <h2>Top trials</h2>
        <label>
          Show{" "}
          <select
            value={most}
            onChange={(event) => {
              size.value = Number(event.currentTarget.value);
            }}
          >
            {SIZES.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      </div>
      {problem !== undefined && data === undefined && <p class="problem">{visible(problem)}</p>}
      {data !== undefined && data.trials.length === 0 && (
        <p class="quiet">No trial has succeeded with a result yet.</p>
      )}
      {data !== undefined && data.trials.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it by keys
        <div class="top-table" tabIndex={0} role="region" aria-label="Top trials, scrollable">
          <table>
            <thead>
              <tr>
                <th scope="col" class="numeric">
                  Rank
                </th>
                <th scope="col" class="numeric">
                  Trial
                </th>
                <th scope="col" class="numeric">
                  Objective
                </th>
                <th scope="col">Status</th>
                <th scope="col" class="numeric">
                  Duration
                </th>
                <th scope="col">Parameters</th>
              </tr>
            </thead>
            <tbody>
              {data.trials.map((trial, at) => (
                <TopRow key={trial.name} trial={trial} rank={at + 1} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function TopRow({ trial, rank }: { trial: Trial; rank: number }) {
  const query = new URLSearchParams({ filter: `number = ${trial.sequenceNumber}` });
  const [start, end] = [secondsOf(trial.startTime), secondsOf(trial.endTime)];
  const parameters = leaves(trial.parameters)
    .map((leaf) => `${leaf.path}: ${jsonText(leaf.value)}`)
    .join(", ");
  return (
    <tr>
      <td class="numeric">{rank}</td>
      <td class="numeric">
        <a href={href("trials", "", query)}>{trial.sequenceNumber}</a>
      </td>
      <td class="numeric">{trial.objective === undefined ? "" : formatNumber(trial.objective)}</td>
      <td>
        <StatusBadge look={trialLook(trial.status)} />
      </td>
      <td class="numeric">{start === undefined || end === undefined ? "" : formatDuration(end - start)}</td>
      <td class="parameters">{visible(shortened(parameters, PARAMETER_CHARACTERS))}</td>
    </tr>
  );
}
