import { useCallback, useState } from "preact/hooks";
import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { Chart } from "../../charts/Chart";
import { curves } from "../../charts/curves";
import type { Frame } from "../../charts/picture";

const MOST_POINTS = 1000;

/** The intermediate results of some trials, one curve each; several have a colour each. */
export function TrialCurves({ parent, trials }: { parent: string; trials: readonly string[] }) {
  const [key, setKey] = useState("");
  const question = `curves ${trials.join(" ")} ${key}`;
  const answer = useLiveQuery(question, (signal) =>
    client.listCurves({ parent, trials: [...trials], key, maxPoints: MOST_POINTS }, { signal }),
  );
  const data = answer.data;
  const build = useCallback(
    (frame: Frame) => {
      const colored = trials.length > 1 ? "trial" : "status";
      return curves({ curves: data?.curves ?? [], total: data?.totalSize ?? 0, key, colored }, frame);
    },
    [data, key, trials.length],
  );
  if (answer.problem !== undefined) return <p class="problem">{answer.problem}</p>;
  if (data === undefined) return <p class="quiet">Loading ...</p>;
  if (data.totalSize === 0 && key === "") return <p class="quiet">There are no intermediate results.</p>;
  return (
    <div>
      {data.keys.length > 1 && (
        <label class="curve-entry">
          Entry{" "}
          <select value={key} onChange={(event) => setKey(event.currentTarget.value)}>
            <option value="">default</option>
            {data.keys
              .filter((name) => name !== "default")
              .map((name) => (
                <option key={name}>{name}</option>
              ))}
          </select>
        </label>
      )}
      <Chart title="Intermediate results" build={build} question={question} />
    </div>
  );
}
