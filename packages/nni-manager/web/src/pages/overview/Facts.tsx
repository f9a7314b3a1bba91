import type { ComponentChildren } from "preact";
import { idOf } from "../../api/page_facts";
import type { TrainingServiceConfig } from "../../generated/nni_proto/v1/experiment_config_pb";
import type { Experiment } from "../../generated/nni_proto/v1/experiment_pb";
import { Copy } from "../../ui/Copy";
import { formatTime, secondsOf } from "../../ui/format";
import { visible } from "../../ui/text";

/** Where the experiment runs, what it was made of, and where its files are. */
export function Facts({ shown }: { shown: Experiment }) {
  const { config, origin } = shown;
  const id = idOf(shown.name);
  const services = config?.trainingServices ?? [];
  return (
    <section class="card facts" aria-label="About this experiment">
      <h2>About</h2>
      <dl class="pairs">
        <Fact term="Id" text={id} />
        <dt>Platform</dt>
        <dd>{visible(services.map(platformName).join(", ") || "local")}</dd>
        <Fact term="Command" text={config?.trialCommand} />
        <Fact term="Experiment's folder" text={shown.directory} />
        <Fact term="Code folder" text={config?.trialCodeDirectory} />
        <Time term="Created" seconds={secondsOf(shown.createTime)} />
        <Time term="Started" seconds={secondsOf(shown.startTime)} />
        <Time term="Ended" seconds={secondsOf(shown.endTime)} />
        {origin?.gitCommit !== undefined && origin.gitCommit !== "" && (
          <Fact term="Git commit" text={origin.gitCommit}>
            {origin.gitIsDirty && <span class="quiet"> with changes that are not committed</span>}
          </Fact>
        )}
        <Fact term="Code's hash" text={origin?.codeHash} />
        <Fact term="Seed" text={origin?.seed?.toString()} />
        <Fact term="Python" text={origin?.packageVersions["python"]} />
      </dl>
      {origin !== undefined && Object.keys(origin.packageVersions).length > 0 && (
        <details>
          <summary>Versions of packages</summary>
          <dl class="pairs">
            {Object.entries(origin.packageVersions)
              .sort(([a], [b]) => a.localeCompare(b))
              .map(([name, version]) => (
                <Version key={name} name={name} version={version} />
              ))}
          </dl>
        </details>
      )}
    </section>
  );
}

function Fact(props: { term: string; text: string | undefined; children?: ComponentChildren }) {
  if (props.text === undefined || props.text === "") return null;
  return (
    <>
      <dt>{props.term}</dt>
      <dd>
        <code>{visible(props.text)}</code>
        <Copy text={props.text} label={`Copy: ${props.term}`} />
        {props.children}
      </dd>
    </>
  );
}

function Time({ term, seconds }: { term: string; seconds: number | undefined }) {
  if (seconds === undefined) return null;
  return (
    <>
      <dt>{term}</dt>
      <dd>
        <time dateTime={new Date(seconds * 1000).toISOString()}>{formatTime(seconds)}</time>
      </dd>
    </>
  );
}

function Version({ name, version }: { name: string; version: string }) {
  return (
    <>
      <dt>{visible(name)}</dt>
      <dd>{visible(version)}</dd>
    </>
  );
}

function platformName(service: TrainingServiceConfig): string {
  const { platform } = service;
  return platform.case === "custom" ? platform.value.platform : (platform.case ?? "local");
}
