"""What happens to trials: they start, wait, report, end."""

from __future__ import annotations

from typing import Any

from nni_manager.engine import events
from nni_manager.engine.active_trial import ActiveTrial, number_reports, with_final_result
from nni_manager.engine.clock import set_deadline
from nni_manager.engine.effects import (
    AcknowledgeReports,
    SaveMetrics,
    TellIntermediateResult,
)
from nni_manager.engine.failures import count_failure
from nni_manager.engine.objective import with_result
from nni_manager.engine.records import MetricRecord
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.engine.trial_ends import (
    close_trial,
    may_retry,
    never_started_before_the_end,
    retry,
    run_after_all,
    set_aside,
    tell_final_result,
)


def trial_started(state: State, step: Step, event: events.TrialStarted) -> None:
    """Takes note that a trial runs, or still runs after a restart."""
    trial = _trial_of(state, event)
    if trial is None or not trial.submitted or trial.record.status is TrialStatus.RUNNING:
        return
    started_at = trial.record.started_at
    step.save_trial(
        trial.change(
            status=TrialStatus.RUNNING,
            started_at=event.at if started_at is None else started_at,
            waiting_reason="",
            host=event.host,
            gpus=event.gpus,
        )
    )
    set_deadline(state, trial)


def trial_waits(state: State, step: Step, event: events.TrialWaits) -> None:
    """Takes note of why a trial waits that was submitted."""
    trial = _trial_of(state, event)
    if trial is not None and trial.record.status is TrialStatus.WAITING:
        step.save_trial(trial.change(waiting_reason=event.reason))


def trial_reported(state: State, step: Step, event: events.TrialReported) -> None:
    """Stores results and tells them to the algorithms."""
    trial = _trial_of(state, event)
    if trial is None:
        step.late_reports.append(event)
        return
    metrics = number_reports(trial, event.reports)
    if metrics:
        state.early_failures = None
    numbers = {report.reporter: trial.reporter_numbers[report.reporter] for report in event.reports}
    step.save_metrics(SaveMetrics(event.trial_id, event.attempt, metrics, numbers, event.end_offset))
    for metric in metrics:
        if metric.kind is MetricKind.INTERMEDIATE:
            step.tell_intermediate_result(
                TellIntermediateResult(event.trial_id, trial.record.parameter_id, metric.index, metric.value)
            )
        elif not trial.record.has_final_result:
            _take_final_result(state, step, trial, metric)
    if event.end_offset is not None:
        step.act(AcknowledgeReports(event.trial_id, event.attempt, event.end_offset))


def trial_ended(state: State, step: Step, event: events.TrialEnded) -> None:
    """Ends a trial, or has it run again."""
    trial = _trial_of(state, event)
    if trial is None:
        return
    if never_started_before_the_end(state, trial):
        if state.end_status is None:
            run_after_all(state, step, trial)
        else:
            set_aside(state, step, trial)
        return
    if may_retry(state, trial, event):
        retry(state, step, trial, event)
        return
    record = close_trial(state, step, trial, event)
    count_failure(state, step, trial, record, event.at)


def _trial_of(state: State, event: Any) -> ActiveTrial | None:
    """Returns the trial of an event, None when the trial or this attempt of it has ended."""
    trial = state.active.get(event.trial_id)
    return trial if trial is not None and trial.record.attempt == event.attempt else None


def _take_final_result(state: State, step: Step, trial: ActiveTrial, metric: MetricRecord) -> None:
    record = trial.record = with_final_result(trial.record, metric)
    step.save_trial(record)
    state.results = with_result(state.results, record.objective)
    tell_final_result(step, record, metric.value)
