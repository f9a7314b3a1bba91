import type { Answer } from "../api/query";

/** Stands in for a chart whose data is not there: why, or that it is on its way. */
export function Pending({ answer }: { answer: Pick<Answer<unknown>, "problem"> }) {
  return (
    <p class="chart-empty" role={answer.problem === undefined ? "status" : "alert"}>
      {answer.problem ?? "Loading ..."}
    </p>
  );
}
