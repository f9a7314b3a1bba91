import { type EndReason, EndReason_Actor } from "../../generated/nni_proto/v1/trial_pb";
import { visible } from "../../ui/text";

const ACTORS: Record<EndReason_Actor, string> = {
  [EndReason_Actor.UNSPECIFIED]: "",
  [EndReason_Actor.TRIAL]: "the trial",
  [EndReason_Actor.USER]: "a user",
  [EndReason_Actor.ASSESSOR]: "the assessor",
  [EndReason_Actor.LIMIT]: "a limit",
  [EndReason_Actor.MANAGER]: "the manager",
  [EndReason_Actor.TUNER]: "the tuner",
  [EndReason_Actor.PLATFORM]: "the place it ran in",
};

/** Who ended something and why, with the exit code or signal and the last lines of stderr. */
export function EndReasonText({ reason }: { reason: EndReason }) {
  const facts = [
    reason.exitCode === undefined ? "" : `exit code ${reason.exitCode}`,
    reason.signal === undefined ? "" : `signal ${reason.signal}`,
  ].filter((fact) => fact !== "" && !reason.message.includes(fact));
  return (
    <div class="end-reason">
      <p>
        Ended by {ACTORS[reason.actor]}
        {reason.message !== "" && `: ${visible(reason.message)}`}
        {facts.length > 0 && ` (${facts.join(", ")})`}
      </p>
      {reason.stderrTail !== "" && (
        <figure>
          <figcaption class="quiet">Last lines of stderr</figcaption>
          <pre class="code">{visible(reason.stderrTail)}</pre>
        </figure>
      )}
    </div>
  );
}
