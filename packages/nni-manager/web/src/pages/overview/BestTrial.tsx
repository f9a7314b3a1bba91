import { pythonText } from "../../api/python_text";
import { jsonText, leaves } from "../../api/values";
import { href } from "../../app/router";
import type { Experiment } from "../../generated/nni_proto/v1/experiment_pb";
import { Copy } from "../../ui/Copy";
import { formatNumber } from "../../ui/format";
import { shortened, visible } from "../../ui/text";

const VALUE_CHARACTERS = 120;

/** The best trial so far: its result and its parameters. */
export function BestTrial({ shown }: { shown: Experiment }) {
  const best = shown.bestTrial;
  if (best === undefined) {
    return (
      <section class="card" aria-label="Best trial">
        <h2>Best trial</h2>
        <p class="quiet">No trial has succeeded with a result yet.</p>
      </section>
    );
  }
  const query = new URLSearchParams({ filter: `number = ${best.sequenceNumber}` });
  return (
    <section class="card" aria-label="Best trial">
      <h2>Best trial</h2>
      <p class="figure">
        {best.objective === undefined ? visible(jsonText(best.finalResult)) : formatNumber(best.objective)}
        <span class="quiet">
          {" "}
          by <a href={href("trials", "", query)}>trial {best.sequenceNumber}</a>,{" "}
          {shown.optimizeMode === "minimize" ? "lower is better" : "higher is better"}
        </span>
      </p>
      {best.finalResult?.kind.case === "objectValue" && (
        <p class="quiet">{visible(shortened(jsonText(best.finalResult), 300))}</p>
      )}
      <dl class="pairs parameters" tabIndex={0}>
        {leaves(best.parameters).map((leaf) => (
          <ParameterLine key={leaf.path} path={leaf.path} text={jsonText(leaf.value)} />
        ))}
      </dl>
      <div class="card-tools">
        <Copy text={jsonText(best.parameters, 2)} label="Copy the parameters as JSON">
          Copy as JSON
        </Copy>
        <Copy text={pythonText(best.parameters)} label="Copy the parameters as Python">
          Copy as Python
        </Copy>
      </div>
    </section>
  );
}

function ParameterLine({ path, text }: { path: string; text: string }) {
  return (
    <>
      <dt>{visible(path)}</dt>
      <dd>
        <code title={visible(text)}>{visible(shortened(text, VALUE_CHARACTERS))}</code>
      </dd>
    </>
  );
}
