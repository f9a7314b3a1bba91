import { useState } from "preact/hooks";
import { client } from "../api/client";
import { useLiveQuery } from "../api/query";
import { LogView } from "../ui/LogView";
import { Tabs } from "../ui/Tabs";
import { visible } from "../ui/text";
import { shownExperiment } from "./router";

// What people look for first: the manager's log, then what the tuner and the assessor wrote.
const FIRST = ["log/nnimanager.log", "log/dispatcher.log"];
const LABELS: Record<string, string> = {
  "log/nnimanager.log": "Manager",
  "log/dispatcher.log": "Tuner and assessor",
};

/** The logs of the experiment, each with its live end. */
export default function LogsPanel() {
  const parent = shownExperiment.value;
  const [chosen, setChosen] = useState<string>();
  const { data, problem } = useLiveQuery(`files of ${parent}`, (signal) =>
    client.listFiles({ parent }, { signal }),
  );
  if (data === undefined)
    return <p class={problem ? "problem" : "quiet"}>{visible(problem ?? "Loading ...")}</p>;
  const paths = sorted(data.files.map((file) => file.path));
  const selected = chosen ?? paths[0];
  if (selected === undefined)
    return <p class="quiet">{visible(data.missingReason || "There is no log yet.")}</p>;
  return (
    <Tabs
      label="Log files"
      tabs={paths.map((path) => ({ id: path, label: LABELS[path] ?? visible(path.replace(/^log\//, "")) }))}
      selected={selected}
      onSelect={setChosen}
    >
      <LogView key={selected} parent={parent} path={selected} />
    </Tabs>
  );
}

function sorted(paths: string[]): string[] {
  const rank = (path: string): number => {
    const at = FIRST.indexOf(path);
    return at < 0 ? FIRST.length : at;
  };
  return paths
    .filter((path) => path.startsWith("log/"))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}
