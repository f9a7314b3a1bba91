"""What the states of Azure ML's jobs mean here."""

from __future__ import annotations

import re

from nni_manager.training.jobs.platform import JobState

_WAITING = {
    "NotStarted": "Azure ML has not looked at it yet",
    "Scheduled": "Azure ML has put it off",
    "Queued": "it is queued for {compute}",
    "Preparing": "its image is being built or fetched",
    "Provisioning": "nodes of {compute} are being started",
    "Starting": "its container is being started",
    "Paused": "it is paused",
}
_RUNNING = {
    "Running": "",
    "Finalizing": "",
    "CancelRequested": "it is being stopped",
    "NotResponding": "Azure ML has not heard of its node for a while",
}
_OVER = {
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Canceled": JobState.STOPPED,
}
_EXIT_CODE = re.compile(r"exited with (?:status |exit )?code:? (\d+)")


def state_of(status: str, compute: str) -> tuple[JobState, str]:
    """Returns what a job's status means, and what a person is told about it.

    A status that Azure may add counts as running: what the job itself says is followed all the same.

    Args:
        status: The status, as the service names it.
        compute: The compute target that the job is for.
    """
    if status in _OVER:
        return _OVER[status], ""
    if status in _WAITING:
        return JobState.WAITING, _WAITING[status].format(compute=compute)
    return JobState.RUNNING, _RUNNING.get(status, f"Azure ML says {status or 'nothing'} of it")


def exit_code_in(reason: str) -> int | None:
    """Returns the exit code that Azure ML's account of a failure names, None where it names none."""
    found = _EXIT_CODE.search(reason)
    return int(found[1]) if found else None
