"""A trial that has not ended, and how its results are numbered."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from nni_manager.engine.events import Report, TrialEnded
from nni_manager.engine.objective import objective_of
from nni_manager.engine.records import EndReason, MetricRecord, TrialRecord
from nni_manager.engine.statuses import Actor, MetricKind, TrialStatus

_STATUS_WHEN_CANCELED_BY = {
    Actor.USER: TrialStatus.USER_CANCELED,
    Actor.ASSESSOR: TrialStatus.EARLY_STOPPED,
    Actor.TUNER: TrialStatus.EARLY_STOPPED,
    Actor.LIMIT: TrialStatus.SYS_CANCELED,
    Actor.MANAGER: TrialStatus.SYS_CANCELED,
}


@dataclass(slots=True)
class ActiveTrial:
    """What the engine knows of a trial that has not ended.

    Attributes:
        record: The trial as it is stored.
        metric_counts: How many results of each kind its present attempt has.
        reporter_numbers: The highest number seen of each reporting process of this attempt.
        stored_offset: The position in its report file up to which results were stored before a restart.
    """

    record: TrialRecord
    metric_counts: dict[MetricKind, int] = field(default_factory=lambda: dict.fromkeys(MetricKind, 0))
    reporter_numbers: dict[str, int] = field(default_factory=dict)
    stored_offset: int = 0

    @property
    def submitted(self) -> bool:
        """Whether it was handed to the training service; others wait for a free slot."""
        return self.record.submitted

    @property
    def cancel_reason(self) -> EndReason | None:
        """Who wants it stopped and why, None when nobody does."""
        return self.record.cancel_reason

    @property
    def has_reported(self) -> bool:
        """Whether any result of it is known."""
        return any(self.metric_counts.values())

    def change(self, **changes: Any) -> TrialRecord:
        """Changes fields of the record and returns it."""
        self.record = replace(self.record, **changes)
        return self.record

    def begin_attempt(self, end_before: EndReason, waiting_reason: str) -> TrialRecord:
        """Makes the trial ready to be run again: its results are numbered from 0 again.

        Args:
            end_before: How the attempt before ended.
            waiting_reason: Why the new one waits.
        """
        self.metric_counts = dict.fromkeys(MetricKind, 0)
        self.reporter_numbers = {}
        self.stored_offset = 0
        return self.change(
            status=TrialStatus.WAITING,
            attempt=self.record.attempt + 1,
            started_at=None,
            waiting_reason=waiting_reason,
            submitted=False,
            host="",
            gpus=(),
            earlier_ends=(*self.record.earlier_ends, end_before),
        )


def number_reports(trial: ActiveTrial, reports: Iterable[Report]) -> tuple[MetricRecord, ...]:
    """Gives new results their index within the trial and leaves out repeats.

    Args:
        trial: The trial; its counts and reporter numbers are advanced.
        reports: The results as they came.

    Returns:
        The new results.
    """
    metrics = []
    for report in reports:
        if report.number <= trial.reporter_numbers.get(report.reporter, -1):
            continue
        trial.reporter_numbers[report.reporter] = report.number
        index = trial.metric_counts[report.kind]
        trial.metric_counts[report.kind] = index + 1
        metrics.append(
            MetricRecord(
                trial_id=trial.record.trial_id,
                attempt=trial.record.attempt,
                kind=report.kind,
                index=index,
                value=report.value,
                reported_at=report.reported_at,
            )
        )
    return tuple(metrics)


def with_final_result(record: TrialRecord, metric: MetricRecord) -> TrialRecord:
    """Returns a trial with its final result. Only the first one counts, so the tuner and the views agree."""
    return replace(
        record, has_final_result=True, final_result=metric.value, objective=objective_of(metric.value)
    )


def ended_record(trial: ActiveTrial, event: TrialEnded) -> TrialRecord:
    """Returns a trial as it is once its process has ended.

    A trial that somebody wanted stopped has the status of that, whatever its exit code. Otherwise exit code 0
    is SUCCEEDED, with or without a final result, and everything else is FAILED.
    """
    if trial.cancel_reason is not None:
        status = _STATUS_WHEN_CANCELED_BY[trial.cancel_reason.actor]
        said = trial.cancel_reason.message
        if event.problem and event.exit_code is None:
            said = f"{said}; {event.problem}"
        reason = replace(trial.cancel_reason, message=said, exit_code=event.exit_code, signal=event.signal)
    elif event.exit_code == 0:
        status = TrialStatus.SUCCEEDED
        found = "finished" if trial.record.has_final_result else "finished without a final result"
        if event.problem and not trial.has_reported:
            found = f"{found}: {event.problem}"
        reason = EndReason(Actor.TRIAL, found, exit_code=0)
    else:
        status = TrialStatus.FAILED
        reason = failure(event)
    return replace(
        trial.record,
        status=status,
        ended_at=max(event.at, trial.record.started_at or event.at),
        end_reason=reason,
        waiting_reason="",
        cancel_reason=None,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def failure(event: TrialEnded) -> EndReason:
    """Returns why a process failed that nobody wanted stopped."""
    if event.signal is not None:
        message = f"killed by signal {event.signal} ({_signal_name(event.signal)})"
    elif event.exit_code is not None:
        message = f"exit code {event.exit_code}{event.problem and '; ' + event.problem}"
    else:
        return EndReason(Actor.PLATFORM, event.problem or "lost", stderr_tail=event.stderr_tail)
    return EndReason(
        Actor.TRIAL, message, exit_code=event.exit_code, signal=event.signal, stderr_tail=event.stderr_tail
    )
