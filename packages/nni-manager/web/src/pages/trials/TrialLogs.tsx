import { useState } from "preact/hooks";
import { LogView } from "../../ui/LogView";

const LOGS = [
  { path: "stdout", label: "stdout" },
  { path: "stderr", label: "stderr" },
  { path: "trial.log", label: "trial.log" },
] as const;

/** What a trial printed, and its log. */
export function TrialLogs({ trial, failed }: { trial: string; failed: boolean }) {
  const [path, setPath] = useState<string>(failed ? "stderr" : "stdout");
  return (
    <div>
      <fieldset class="choices">
        <legend class="only-read-aloud">Which output</legend>
        {LOGS.map((log) => (
          <label key={log.path}>
            <input
              type="radio"
              name={`log of ${trial}`}
              checked={path === log.path}
              onChange={() => setPath(log.path)}
            />{" "}
            {log.label}
          </label>
        ))}
      </fieldset>
      <LogView key={path} parent={trial} path={path} />
    </div>
  );
}
