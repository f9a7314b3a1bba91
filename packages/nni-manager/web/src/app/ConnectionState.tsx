import { connection, experiment, missing } from "../api/live";
import { idOf, mayChange } from "../api/page_facts";
import { tryNow } from "../api/retrying";
import { Button } from "../ui/Button";
import { Copy } from "../ui/Copy";
import { formatDuration, formatTime } from "../ui/format";
import { Icon } from "../ui/Icon";
import { visible } from "../ui/text";
import { now } from "./clock";
import { shownExperiment } from "./router";

/** A word on whether what is shown is up to date. */
export function ConnectionState() {
  const { value } = connection;
  const words = {
    connecting: "Connecting",
    live: "Live",
    reconnecting: "Out of date",
    "signed out": "Signed out",
    ended: "Ended",
  } as const;
  return (
    <span class={`connection ${value.state.replace(" ", "-")}`} role="status">
      <span class="dot" aria-hidden="true" />
      {words[value.state]}
      {!mayChange && <span class="quiet">, view only</span>}
    </span>
  );
}

/** What to know and do when the page is out of date. */
export function ConnectionNote() {
  const { value } = connection;
  const id = idOf(experiment.value?.name ?? shownExperiment.value);
  if (value.state === "reconnecting" && missing.value === undefined) {
    const seconds = Math.max(0, (now.value - value.since.getTime()) / 1000);
    return (
      <div class="note warning" role="alert">
        <Icon name="warning" />
        <div>
          <strong>Out of date since {formatTime(value.since.getTime() / 1000)}</strong>
          <span class="only-sighted" aria-hidden="true">
            {" "}
            ({formatDuration(Math.floor(seconds))})
          </span>
          : {visible(value.problem)}. What was known stays; the page goes on by itself when the manager is
          back.{" "}
          <Button kind="quiet" icon="refresh" onClick={tryNow}>
            Try now
          </Button>
        </div>
      </div>
    );
  }
  if (value.state === "signed out") {
    const command = `nnictl webui url ${id === "-" ? "ID" : id}`;
    return (
      <div class="note warning" role="alert">
        <Icon name="warning" />
        <div>
          <strong>This browser is not signed in any more.</strong> To sign in again, run{" "}
          <code>{command}</code>
          <Copy text={command} label="Copy the command" /> where the experiment was started, and open the link
          that it prints. What was known stays.
        </div>
      </div>
    );
  }
  if (value.state === "ended") {
    return (
      <div class="note" role="status">
        <Icon name="info" />
        <div>The experiment is over and its manager has ended. What is shown here is final.</div>
      </div>
    );
  }
  return null;
}
