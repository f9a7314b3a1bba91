import { writtenSeconds, writtenText } from "../../api/durations";
import { openPanel } from "../../app/open_panel";
import { canChange } from "../../app/progress";
import { maySteer } from "../../app/router";
import { update } from "../../app/update";
import type { Experiment } from "../../generated/nni_proto/v1/experiment_pb";
import { Button } from "../../ui/Button";
import { formatDuration } from "../../ui/format";
import { counted, visible } from "../../ui/text";
import { EditInPlace } from "./EditInPlace";
import { limitProblem, wholeNumber } from "./limit_text";

/** How many trials run at once and when the experiment ends, to be changed in place. */
export function Limits({ shown }: { shown: Experiment }) {
  const { config } = shown;
  if (config === undefined) return null;
  const editable = maySteer.value && canChange(shown);
  const count = Object.keys(
    config.searchSpace?.kind.case === "objectValue" ? config.searchSpace.kind.value.fields : {},
  );
  return (
    <section class="card" aria-label="Settings">
      <h2>Settings</h2>
      <dl class="pairs">
        <EditInPlace
          label="Trials at once"
          text={config.trialConcurrency === undefined ? "" : String(config.trialConcurrency)}
          editable={editable}
          hint="A whole number from 1. More are started at once; when there are too many, running ones finish."
          check={(text) => limitProblem(text, { required: true })}
          onSave={(text) => update("trial_concurrency", { trialConcurrency: wholeNumber(text) })}
        />
        <EditInPlace
          label="Most trials"
          text={config.maxTrialNumber === undefined ? "" : String(config.maxTrialNumber)}
          editable={editable}
          hint="A whole number from 1; empty takes the limit away."
          check={(text) => limitProblem(text, { required: false })}
          onSave={(text) =>
            update("max_trial_number", text === "" ? {} : { maxTrialNumber: wholeNumber(text) })
          }
        />
        <EditInPlace
          label="Longest run"
          text={writtenText(config.maxExperimentDuration)}
          shown={durationText(writtenSeconds(config.maxExperimentDuration))}
          editable={editable}
          hint="Such as 90m, 1.5h or 2d; empty takes the limit away. Then no new trial starts."
          onSave={(text) =>
            update("max_experiment_duration", text === "" ? {} : { maxExperimentDuration: duration(text) })
          }
        />
        <EditInPlace
          label="Longest trial"
          text={writtenText(config.maxTrialDuration)}
          shown={durationText(writtenSeconds(config.maxTrialDuration))}
          editable={editable}
          hint="Such as 10m; empty takes the limit away. A trial that runs longer is canceled."
          onSave={(text) =>
            update("max_trial_duration", text === "" ? {} : { maxTrialDuration: duration(text) })
          }
        />
        <dt>Search space</dt>
        <dd>
          {counted(count.length, "parameter")}{" "}
          <Button
            kind="quiet"
            icon={editable ? "edit" : "eye"}
            onClick={() => {
              openPanel.value = "search space";
            }}
          >
            {editable ? "Show or change" : "Show"}
          </Button>
        </dd>
        <dt>
          {config.tuner?.name === undefined && config.tuner?.className === undefined ? "Algorithm" : "Tuner"}
        </dt>
        <dd>{visible(algorithmName(config.tuner))}</dd>
        {config.assessor !== undefined && (
          <>
            <dt>Assessor</dt>
            <dd>{visible(algorithmName(config.assessor))}</dd>
          </>
        )}
      </dl>
    </section>
  );
}

function durationText(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : formatDuration(seconds);
}

function duration(text: string) {
  // A bare number stands for seconds, as in a configuration.
  return /^\d+$/.test(text)
    ? { written: { case: "wholeSeconds" as const, value: BigInt(text) } }
    : { written: { case: "text" as const, value: text } };
}

function algorithmName(
  algorithm: { name?: string; className?: string; endpoint?: string } | undefined,
): string {
  return algorithm?.name ?? algorithm?.className ?? algorithm?.endpoint ?? "none";
}
