import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { idOf } from "../../api/page_facts";
import { later } from "../../app/later";
import { type Trial, Trial_Status } from "../../generated/nni_proto/v1/trial_pb";
import { Copy } from "../../ui/Copy";
import { formatTime, secondsOf } from "../../ui/format";
import { Tabs } from "../../ui/Tabs";
import { visible } from "../../ui/text";
import { EndReasonText } from "./EndReasonText";
import { ParameterList } from "./ParameterList";
import { TrialFiles } from "./TrialFiles";
import { TrialLogs } from "./TrialLogs";

// Charts are large: they are fetched when somebody looks at one.
const TrialCurves = later(async () => (await import("./TrialCurves")).TrialCurves);

const TABS = [
  { id: "parameters", label: "Parameters" },
  { id: "results", label: "Results" },
  { id: "log", label: "Log" },
  { id: "files", label: "Files" },
] as const;

/** All that is known of a trial. */
export function TrialDetails({ trial, actions }: { trial: Trial; actions?: ComponentChildren }) {
  const [tab, setTab] = useState<(typeof TABS)[number]["id"]>("parameters");
  const parent = trial.name.slice(0, trial.name.lastIndexOf("/trials/"));
  return (
    <section class="trial-details" aria-label={`Trial ${trial.sequenceNumber}`}>
      <TrialFacts trial={trial} />
      {actions !== undefined && <div class="trial-actions">{actions}</div>}
      <Tabs label={`Trial ${trial.sequenceNumber}`} tabs={TABS} selected={tab} onSelect={setTab}>
        {tab === "parameters" && <ParameterList value={trial.parameters} name="parameters" />}
        {tab === "results" && (
          <div class="trial-results">
            <div>
              <h3>Final result</h3>
              <ParameterList value={trial.finalResult} name="final result" />
              {trial.latestIntermediate !== undefined && (
                <>
                  <h3>Latest intermediate result</h3>
                  <ParameterList value={trial.latestIntermediate} name="intermediate result" />
                </>
              )}
            </div>
            <TrialCurves parent={parent} trials={[trial.name]} />
          </div>
        )}
        {tab === "log" && <TrialLogs trial={trial.name} failed={trial.status === Trial_Status.FAILED} />}
        {tab === "files" && <TrialFiles trial={trial.name} />}
      </Tabs>
    </section>
  );
}

function TrialFacts({ trial }: { trial: Trial }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const times = [
    { name: "Created", time: trial.createTime },
    { name: "Started", time: trial.startTime },
    { name: "Ended", time: trial.endTime },
  ];
  return (
    <div class="trial-facts">
      {trial.waitingReason !== "" && <p>Waits: {visible(trial.waitingReason)}</p>}
      {trial.endReason !== undefined && <EndReasonText reason={trial.endReason} />}
      {trial.earlierEnds.length > 0 && (
        <details>
          <summary>Attempts before this one: {trial.earlierEnds.length}</summary>
          {trial.earlierEnds.map((reason, attempt) => (
            <EndReasonText key={`${attempt} ${reason.message}`} reason={reason} />
          ))}
        </details>
      )}
      <dl class="fact-line">
        <Fact name="Id">
          {idOf(trial.name)} <Copy text={idOf(trial.name)} label="Copy the trial's id" />
        </Fact>
        {times.map(({ name, time }) => {
          const seconds = secondsOf(time);
          return (
            seconds !== undefined && (
              <Fact key={name} name={name}>
                <time dateTime={new Date(seconds * 1000).toISOString()}>{formatTime(seconds)}</time>
              </Fact>
            )
          );
        })}
        <Fact name="Time zone">{zone}</Fact>
        {trial.host !== "" && <Fact name="Machine">{visible(trial.host)}</Fact>}
        {trial.gpus.length > 0 && <Fact name="GPUs">{trial.gpus.join(", ")}</Fact>}
        {trial.attempt > 0 && <Fact name="Attempt">{trial.attempt + 1}</Fact>}
        {trial.parameterId !== undefined && <Fact name="Parameter id">{String(trial.parameterId)}</Fact>}
      </dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
