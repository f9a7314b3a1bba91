"""What OpenPAI says of a job, in the words that every platform's jobs have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from nni_manager.training.jobs.platform import JobReport, JobState

STATES: Mapping[str, JobState | None] = {
    "WAITING": JobState.WAITING,
    "RUNNING": JobState.RUNNING,
    "STOPPING": JobState.RUNNING,
    "STOPPED": JobState.STOPPED,
    "SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "UNKNOWN": None,
}
"""The states of jobs; None says nothing about how far it is."""

_MOST_SHOWN = 600


def report_of(summary: Mapping[str, Any], address: str, before: JobReport | None) -> JobReport:
    """Returns what the list of jobs says of one.

    Args:
        summary: An element of the list.
        address: Where a person sees it.
        before: What was said of it before.
    """
    said = str(summary.get("state") or "UNKNOWN")
    state = STATES.get(said)
    if state is None:
        state = _guessed(summary, before)
    code = _exit_code(summary.get("appExitCode"))
    reason = f"OpenPAI says {said}" if said not in STATES else ""
    if state is JobState.WAITING:
        reason = reason or f"it waits in virtual cluster {summary.get('virtualCluster') or 'default'}"
    elif state.is_over:
        reason = _platform_code(summary.get("appExitCode"))
    return JobReport(str(summary["name"]), state, reason, code if state.is_over else None, address)


def ended_report(report: JobReport, detail: Mapping[str, Any], role: str) -> JobReport:
    """Returns what is known of an ended job.

    Args:
        report: What the list says.
        detail: What OpenPAI says of the job alone.
        role: The task role that ran the trial.
    """
    status = _object(detail.get("jobStatus"))
    spec = _object(status.get("appExitSpec"))
    runtime = _object(_object(status.get("appExitMessages")).get("runtime"))
    codes = (runtime.get("originUserExitCode"), _container(detail, role).get("containerExitCode"))
    code = next((found for found in map(_exit_code, codes) if found is not None), report.exit_code)
    parts = (
        spec.get("phrase"),
        spec.get("reason"),
        _object(runtime.get("errorLogs")).get("user"),
        status.get("appExitTriggerMessage"),
        status.get("appExitDiagnostics"),
    )
    reason = "; ".join(dict.fromkeys(text for text in map(_line, parts) if text)) or report.reason
    if len(reason) > _MOST_SHOWN:
        reason = f"{reason[:_MOST_SHOWN]}..."
    return JobReport(report.name, report.state, reason, code, report.web_address)


def last_attempt(detail: Mapping[str, Any], role: str) -> str:
    """Returns the last attempt of a job's task, as a path behind that of the job."""
    job = _object(detail.get("jobStatus")).get("attemptId")
    task = _container(detail, role).get("attemptId")
    name = quote(_told_name(_object(detail.get("taskRoles")), role), safe="")
    return f"/attempts/{job or 0}/taskRoles/{name}/taskIndex/0/attempts/{task or 0}"


def waiting_reason(events: Any) -> str:
    """Returns why a job is not placed, by its events with the newest first, "" where they do not say it."""
    data = _object(events).get("data")
    for event in data if isinstance(data, list) else []:
        if _object(event).get("type") == "Warning" and event.get("message"):
            return _line(event["message"])[:_MOST_SHOWN]
    return ""


def _guessed(summary: Mapping[str, Any], before: JobReport | None) -> JobState:
    if before is not None:
        return before.state
    return JobState.RUNNING if summary.get("launchedTime") else JobState.WAITING


def _platform_code(code: Any) -> str:
    """Returns what an exit code says that is none of a command."""
    return f"OpenPAI's exit code {code}" if isinstance(code, int) and not 0 <= code <= 255 else ""


def _exit_code(code: Any) -> int | None:
    return code if isinstance(code, int) and 0 <= code <= 255 else None


def _container(detail: Mapping[str, Any], role: str) -> Mapping[str, Any]:
    roles = _object(detail.get("taskRoles"))
    tasks = _object(roles.get(_told_name(roles, role))).get("taskStatuses")
    return _object(tasks[0]) if isinstance(tasks, list) and tasks else {}


def _told_name(roles: Mapping[str, Any], role: str) -> str:
    """Returns how OpenPAI tells of a task role: it leaves capitals and underscores out."""
    plain = "".join(filter(str.isalnum, role.lower()))
    return role if role in roles else plain


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _line(text: Any) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
