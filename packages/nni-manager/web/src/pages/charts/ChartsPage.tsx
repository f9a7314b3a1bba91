/** The results of the experiment, as charts. */
export default function ChartsPage() {
  return <h1>Charts</h1>;
}
