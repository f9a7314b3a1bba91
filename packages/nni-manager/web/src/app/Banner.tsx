import { useState } from "preact/hooks";
import { experiment, missing } from "../api/live";
import { Experiment_Status } from "../generated/nni_proto/v1/experiment_pb";
import { Button } from "../ui/Button";
import { Copy } from "../ui/Copy";
import { Icon } from "../ui/Icon";
import { counted, shortened, visible } from "../ui/text";
import { openPanel } from "./open_panel";

const SUMMARY_CHARACTERS = 400;

/** What went wrong with the experiment, and what is to be known of it, above every page. */
export function Banner() {
  const shown = experiment.value;
  if (shown === undefined) {
    if (missing.value === undefined) return null;
    return (
      <div class="note error" role="alert">
        <Icon name="cross" />
        <div>{visible(missing.value)}</div>
      </div>
    );
  }
  return (
    <>
      {(shown.errors.length > 0 || shown.status === Experiment_Status.ERROR) && (
        <Texts
          kind="error"
          title={
            shown.status === Experiment_Status.ERROR
              ? "The experiment failed"
              : counted(shown.errors.length, "error")
          }
          texts={shown.errors.length > 0 ? shown.errors : [shown.endReason?.message ?? ""]}
        />
      )}
      {shown.warnings.length > 0 && (
        <Texts kind="warning" title={counted(shown.warnings.length, "warning")} texts={shown.warnings} />
      )}
    </>
  );
}

/** Texts, the newest first: its cause at once, all of it when that is asked for. */
function Texts({ kind, title, texts }: { kind: "error" | "warning"; title: string; texts: string[] }) {
  const [open, setOpen] = useState(false);
  const newest = texts.at(-1) ?? "";
  const summary = causeOf(newest);
  const more = texts.length > 1 || summary !== newest.trim();
  return (
    <section class={`note ${kind}`} role={kind === "error" ? "alert" : "status"} aria-label={title}>
      <Icon name={kind === "error" ? "cross" : "warning"} />
      <div class="note-text">
        <strong>{title}</strong>
        {open ? (
          [...texts].reverse().map((text, at) => (
            <pre key={texts.length - at} class="code">
              {visible(text)}
            </pre>
          ))
        ) : (
          <p>{visible(summary)}</p>
        )}
        <div class="note-actions">
          {more && (
            <Button
              kind="quiet"
              aria-expanded={open}
              icon={open ? "up" : "down"}
              onClick={() => setOpen(!open)}
            >
              {open ? "Show less" : texts.length > 1 ? `Show all ${texts.length} in full` : "Show it in full"}
            </Button>
          )}
          <Button
            kind="quiet"
            icon="file"
            onClick={() => {
              openPanel.value = "logs";
            }}
          >
            Logs
          </Button>
          <Copy text={texts.join("\n\n")} label={`Copy the ${kind}s`}>
            Copy
          </Copy>
        </div>
      </div>
    </section>
  );
}

/**
 * Returns what a text says in short: its first line, and for one with a Python traceback also the line that
 * says what was raised.
 */
export function causeOf(text: string): string {
  const lines = text
    .trim()
    .split("\n")
    .map((line) => line.trimEnd());
  const first = lines[0] ?? "";
  const trace = lines.findLastIndex((line) => line.startsWith("Traceback (most recent call last)"));
  const raised =
    trace < 0 ? undefined : lines.slice(trace + 1).find((line) => /^[A-Za-z_][\w.]*(:|$)/.test(line));
  const summary = raised === undefined || first.includes(raised) ? first : `${first} ${raised}`;
  return shortened(summary, SUMMARY_CHARACTERS);
}
