"""The messages of courier.proto in protobuf's JSON form, one a line, to and from the engine's terms."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from nni_manager.engine.events import (
    Report,
    TrialEnded,
    TrialReported,
    TrialStarted,
    TrialWaits,
    time_or,
)
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.interface import TrialRun

Message = dict[str, Any]


def launch(
    run: TrialRun,
    command: str,
    working_directory: str,
    environment: dict[str, str],
    numeric_kinds: Collection[MetricKind],
) -> bytes:
    """Returns the LaunchTrial command.

    Args:
        run: The attempt to start; its own environment comes on top.
        command: The command, run by a shell.
        working_directory: The folder to run it in.
        environment: What is added to the environment of every trial.
        numeric_kinds: The kinds of results that have to be numbers, or objects with one under "default".
    """
    variables = {**environment, **run.environment}
    content: Message = {
        "trialId": run.trial_id,
        "attempt": run.attempt,
        "sequenceNumber": run.sequence_number,
        "command": command,
        "workingDirectory": working_directory,
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
        "parameters": value_to_json(run.parameters),
    }
    if run.parameter_id is not None:
        content["parameterId"] = str(run.parameter_id)
    if numeric_kinds:
        content["numericKinds"] = sorted(f"METRIC_KIND_{kind.value}" for kind in numeric_kinds)
    return _line("launch", content)


def adopt(trial_id: str, attempt: int, acknowledged_offset: int) -> bytes:
    """Returns the AdoptTrial command."""
    content = {"trialId": trial_id, "attempt": attempt, "acknowledgedOffset": str(acknowledged_offset)}
    return _line("adopt", content)


def cancel(trial_id: str, attempt: int, signal: int, grace_seconds: float) -> bytes:
    """Returns the CancelTrialRun command."""
    content = {"trialId": trial_id, "attempt": attempt, "signal": signal, "graceSeconds": grace_seconds}
    return _line("cancel", content)


def acknowledge(trial_id: str, attempt: int, offset: int) -> bytes:
    """Returns the AcknowledgeReports command."""
    return _line("acknowledge", {"trialId": trial_id, "attempt": attempt, "offset": str(offset)})


def release() -> bytes:
    """Returns the ReleaseSlots command."""
    return _line("release", {})


def shut_down() -> bytes:
    """Returns the ShutDownCourier command."""
    return _line("shutDown", {})


def parse_event(line: bytes) -> tuple[str, Message]:
    """Returns the name and the content of a CourierEvent.

    Raises:
        ValueError: The line is not one.
    """
    message = json.loads(line)
    if not isinstance(message, dict) or len(message) != 1:
        raise ValueError(f"not a message of the courier: {line[:200]!r}")
    ((name, content),) = message.items()
    return name, content


def trial_of(content: Message) -> tuple[str, int]:
    """Returns the trial and the attempt that a message is about."""
    return content["trialId"], content.get("attempt", 0)


def started_event(content: Message) -> TrialStarted:
    """Returns the event for a TrialRunStarted."""
    return TrialStarted(*trial_of(content), at=_seconds(content["startTime"]))


def waits_event(content: Message) -> TrialWaits:
    """Returns the event for a TrialRunWaits."""
    return TrialWaits(*trial_of(content), reason=content.get("reason", ""))


def ended_event(content: Message) -> TrialEnded:
    """Returns the event for a TrialRunEnded."""
    return TrialEnded(
        *trial_of(content),
        at=_seconds(content["endTime"]),
        exit_code=content.get("exitCode"),
        signal=content.get("signal"),
        problem=content.get("problem", ""),
        stderr_tail=content.get("stderrTail", ""),
    )


def reported_event(content: Message) -> TrialReported:
    """Returns the event for a TrialRunReported; what has an impossible time gets the present one."""
    received_at = time.time()
    reports = tuple(
        Report(
            kind=_KINDS[report["kind"]],
            reporter=report.get("reporter", ""),
            number=int(report.get("number", 0)),
            value=value_from_json(report["value"]),
            reported_at=_report_time(report.get("reportTime"), received_at),
        )
        for report in content.get("reports", ())
    )
    return TrialReported(*trial_of(content), reports=reports, end_offset=int(content.get("endOffset", 0)))


def value_to_json(value: Any) -> Message:
    """Returns a JSON value as a Value message in JSON form."""
    if value is None:
        return {"nullValue": None}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else _NOT_FINITE[repr(value)]}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, (list, tuple)):
        return {"listValue": {"values": [value_to_json(element) for element in value]}}
    fields = [{"key": key, "value": value_to_json(element)} for key, element in value.items()]
    return {"objectValue": {"fields": fields}}


def value_from_json(message: Message) -> Any:
    """Returns the Python value of a Value message in JSON form.

    Raises:
        ValueError: The message has not exactly one kind.
        KeyError: It has a kind that we do not know.
    """
    ((kind, content),) = message.items()
    return _DECODERS[kind](content)


def _line(name: str, content: Message) -> bytes:
    return json.dumps({name: content}).encode("ascii") + b"\n"


def _report_time(timestamp: Any, received_at: float) -> float:
    try:
        return time_or(_seconds(timestamp), received_at)
    except (ValueError, AttributeError, OverflowError):
        return received_at


def _seconds(timestamp: str) -> float:
    # Python 3.10 cannot read the "Z".
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


_KINDS = {
    "METRIC_KIND_INTERMEDIATE": MetricKind.INTERMEDIATE,
    "METRIC_KIND_FINAL": MetricKind.FINAL,
}
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "nullValue": lambda content: None,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "stringValue": str,
    "listValue": lambda content: [value_from_json(element) for element in content.get("values", ())],
    "objectValue": lambda content: {
        field.get("key", ""): value_from_json(field["value"]) for field in content.get("fields", ())
    },
}
