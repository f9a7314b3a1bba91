"""The texts of the CourierEvent messages."""

from __future__ import annotations

import json
from typing import Any, Dict, List

from nni.courier.values import timestamp


def ready(version: str, pid: int) -> str:
    """Returns CourierReady."""
    return json.dumps({"ready": {"version": version, "pid": pid}})


def started(trial_id: str, attempt: int, started_at: float, pid: int) -> str:
    """Returns TrialRunStarted."""
    content = {"trialId": trial_id, "attempt": attempt, "startTime": timestamp(started_at), "pid": pid}
    return json.dumps({"started": content})


def waits(trial_id: str, attempt: int, reason: str) -> str:
    """Returns TrialRunWaits."""
    return json.dumps({"waits": {"trialId": trial_id, "attempt": attempt, "reason": _valid(reason)}})


def reported(trial_id: str, attempt: int, reports: List[str], end: int) -> str:
    """Returns TrialRunReported; the reports are texts already."""
    head = (
        f'{{"reported":{{"trialId":{json.dumps(trial_id)},"attempt":{attempt},"endOffset":"{end}","reports":['
    )
    return "".join((head, ",".join(reports), "]}}"))


def ended(trial_id: str, attempt: int, outcome: Dict[str, Any], stderr_tail: str) -> str:
    """Returns TrialRunEnded for the content of an exit.json."""
    content: Dict[str, Any] = {
        "trialId": trial_id,
        "attempt": attempt,
        "endTime": timestamp(outcome["ended_at"]),
        "problem": outcome.get("problem", ""),
        "stderrTail": stderr_tail,
    }
    for ours, theirs in (("exit_code", "exitCode"), ("signal", "signal")):
        if ours in outcome:
            content[theirs] = outcome[ours]
    return json.dumps({"ended": content})


def problem(message: str) -> str:
    """Returns CourierProblem."""
    return json.dumps({"problem": {"message": _valid(message)}})


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
