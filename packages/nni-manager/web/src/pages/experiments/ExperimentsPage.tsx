/** The experiments of this machine's folder. */
export default function ExperimentsPage() {
  return <h1>Experiments</h1>;
}
