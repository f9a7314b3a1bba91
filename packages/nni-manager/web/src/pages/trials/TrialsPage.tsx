/** The trials of the experiment, as a table. */
export default function TrialsPage() {
  return <h1>Trials</h1>;
}
