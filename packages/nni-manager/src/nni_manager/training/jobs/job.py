"""What is known of one job, and how its end is put into words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from nni_manager.training.jobs.platform import JobReport, JobState
from nni_manager.training.jobs.start_command import NO_PYTHON, NO_PYTHON_TEXT
from nni_manager.training.spool import JobSpool

Key = tuple[str, int]
"""A trial and which attempt of it."""


@dataclass
class Job:
    """A job of the platform.

    Attributes:
        name: Its name.
        spool: How its trials are spoken to.
        is_pooled: Whether it takes trial after trial.
        trials: The trials in it whose end is not told.
        report: What the platform said last, None before it has.
        is_ordered: Whether it is being submitted, or was.
        is_submitted: Whether the platform has taken it, now or earlier.
        is_seen: Whether the platform was ever seen to know it.
        has_run: Whether it was seen to run, or its trials spoke.
        missing: In how many lists in a row it was not, since it was seen.
        submitted_at: When it was taken, on the loop's clock.
        is_over: Whether it has ended.
        is_ending: Whether it was told to end, so that it gets no more trials.
        is_unwanted: Whether it was to be stopped by the platform.
        last_trials: Those of a pooled job that ended last, whose processes may write on.
        told_wait: What its trials were last told to wait for.
        idle_timer: Ends it when it has no trial for long.
        tasks: What is being done about it.
    """

    name: str
    spool: JobSpool
    is_pooled: bool = False
    trials: set[Key] = field(default_factory=set)
    report: JobReport | None = None
    is_ordered: bool = False
    is_submitted: bool = False
    is_seen: bool = False
    has_run: bool = False
    missing: int = 0
    submitted_at: float = 0.0
    is_over: bool = False
    is_ending: bool = False
    is_unwanted: bool = False
    last_trials: list[str] = field(default_factory=list)
    told_wait: str = ""
    idle_timer: asyncio.TimerHandle | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def keep_busy(self) -> None:
        """Has it not end for want of trials."""
        if self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None


def waiting_words(report: JobReport) -> str:
    """Returns what the trials of a job that has not said anything wait for."""
    if report.state is JobState.RUNNING:
        return f"its job {report.name} is starting"
    return f"its job {report.name} waits" + (f": {report.reason}" if report.reason else "")


def end_words(report: JobReport) -> str:
    """Returns how a job ended that told no end of its trial."""
    if report.exit_code == NO_PYTHON:
        return f"job {report.name}: {NO_PYTHON_TEXT}"
    reason = f": {report.reason}" if report.reason else ""
    code = f" with exit code {report.exit_code}{_CODES.get(report.exit_code, '')}" if report.exit_code else ""
    if report.state is JobState.STOPPED:
        return f"its job {report.name} was stopped{reason}"
    if report.state is JobState.SUCCEEDED:
        return f"its job {report.name} ended without a word of it{reason}"
    return f"its job {report.name} failed{code}{reason}"


_CODES = {
    137: " (killed: out of memory, or stopped by the platform)",
    143: " (told to end by the platform)",
    127: " (a command was not found)",
    126: " (a command cannot be executed)",
}
