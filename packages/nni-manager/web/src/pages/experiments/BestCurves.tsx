import { useCallback, useState } from "preact/hooks";
import { client } from "../../api/client";
import { useLiveQuery } from "../../api/query";
import { type BestSource, bestCurves } from "../../charts/best_curves";
import { Chart } from "../../charts/Chart";
import { Pending } from "../../charts/Pending";
import type { Frame } from "../../charts/picture";
import { tableOf } from "../../charts/table";
import { Choice } from "../charts/Choice";
import type { Listed } from "./listed";

const MOST_TRIALS = 10_000;
const COLUMNS = ["objective", "ended"];

/** The best so far of several experiments in one chart. */
export function BestCurves({ experiments }: { experiments: readonly Listed[] }) {
  const [along, setAlong] = useState<"trial" | "time">("trial");
  const question = experiments.map((one) => one.name).join(" ");
  // The stream of the list tells when one has got on.
  const versions = experiments.map((one) => `${one.trials} ${one.best} ${one.look.word}`).join(" ");
  const answer = useLiveQuery(`best so far ${question} ${versions}`, (signal) =>
    readAll(experiments, signal),
  );
  const sources = answer.data;
  const build = useCallback(
    (frame: Frame) => bestCurves({ sources: sources ?? [], along }, frame),
    [sources, along],
  );
  if (sources === undefined) return <Pending answer={answer} />;
  return (
    <>
      <div class="compare-along">
        <Choice
          label="Along"
          value={along}
          options={[
            { value: "trial", label: "Number of the trial" },
            { value: "time", label: "Time since the start" },
          ]}
          onChange={(value) => setAlong(value === "time" ? "time" : "trial")}
        />
      </div>
      <Chart title="Best so far of the experiments" build={build} question={`${question} ${along}`} />
    </>
  );
}

function readAll(experiments: readonly Listed[], signal: AbortSignal): Promise<BestSource[]> {
  return Promise.all(
    experiments.map(async (one): Promise<BestSource> => {
      const request = { parent: one.name, columns: COLUMNS, maxTrials: MOST_TRIALS };
      const table = tableOf(await client.readColumns(request, { signal }), []);
      const name = one.title === one.id ? one.id : `${one.title} (${one.id})`;
      return { name, table, direction: one.minimize ? "minimize" : "maximize", started: one.started };
    }),
  );
}
