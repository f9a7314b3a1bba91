"""The state machine of a running experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from nni_manager.engine import events
from nni_manager.engine.active_trial import ActiveTrial, ended_record, number_reports, with_final_result
from nni_manager.engine.effects import (
    AcknowledgeReports,
    Action,
    SaveMetrics,
    TellFinalResult,
    TellIntermediateResult,
    TellTrialEnd,
    Write,
)
from nni_manager.engine.ending import begin_end, cancel_trial, fail, fail_at_once, settle
from nni_manager.engine.limits import Limits
from nni_manager.engine.records import EndReason, ExperimentRecord, TrialRecord
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, ParameterSource, TrialStatus
from nni_manager.engine.supply import fill_slots, take_proposal, take_refusal


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step wants done.

    Attributes:
        writes: What to store, in one transaction.
        actions: What to do after that, in order.
        late_reports: Results of trials that have ended. They change nothing here; they are to be stored.
    """

    writes: list[Write]
    actions: list[Action]
    late_reports: list[events.TrialReported]


class Engine:
    """Decides everything that happens to one experiment from its start to its end."""

    def __init__(self, experiment: ExperimentRecord, limits: Limits, *, has_assessor: bool = False) -> None:
        """Makes the engine of an experiment that has not started.

        Args:
            experiment: The experiment, INITIALIZED.
            limits: The limits it runs under.
            has_assessor: Whether intermediate results are told to an assessor.
        """
        self.state = State(experiment, limits, has_assessor=has_assessor)

    def start(self, at: float) -> StepResult:
        """Starts the experiment: its clock runs and the tuner is asked for the first parameters."""
        step = Step(self.state)
        step.change_experiment(
            status=ExperimentStatus.RUNNING,
            started_at=self.state.experiment.started_at or at,
            running_since=at,
        )
        return self._finish(step, at)

    def step(self, happened: Iterable[events.Event], at: float) -> StepResult:
        """Takes events in the order they happened.

        Args:
            happened: The events.
            at: The time now, not before any of them.
        """
        step = Step(self.state)
        for event in happened:
            _HANDLERS[type(event)](self.state, step, event)
        return self._finish(step, at)

    def reserve_call_number(self) -> int:
        """Returns the number of the next call to the tuner, for a call that is made beside the engine."""
        return self.state.requests.next_call_number()

    def next_wakeup(self) -> float | None:
        """Returns when TimePassed is to be told, None when time alone changes nothing."""
        state = self.state
        times = list(state.deadlines.values())
        deadline = state.experiment_deadline()
        if state.is_open and deadline is not None and not state.time_limit_reached:
            times.append(deadline)
        return min(times, default=None)

    def active_trial(self, trial_id: str) -> TrialRecord | None:
        """Returns a trial that has not ended, None for any other id."""
        trial = self.state.active.get(trial_id)
        return None if trial is None else trial.record

    def _finish(self, step: Step, at: float) -> StepResult:
        settle(self.state, step, at)
        fill_slots(self.state, step, at)
        return StepResult(step.writes(), step.actions, step.late_reports)


def _trial_of(state: State, event: Any) -> ActiveTrial | None:
    """Returns the trial of an event, None when the trial or this attempt of it has ended."""
    trial = state.active.get(event.trial_id)
    return trial if trial is not None and trial.record.attempt == event.attempt else None


def _trial_started(state: State, step: Step, event: events.TrialStarted) -> None:
    trial = _trial_of(state, event)
    if trial is None or trial.record.status is TrialStatus.RUNNING:
        return
    trial.record = replace(trial.record, status=TrialStatus.RUNNING, started_at=event.at, waiting_reason="")
    step.save_trial(trial.record)
    if state.limits.max_trial_seconds is not None and trial.cancel_reason is None:
        state.deadlines[event.trial_id] = event.at + state.limits.max_trial_seconds


def _trial_waits(state: State, step: Step, event: events.TrialWaits) -> None:
    trial = _trial_of(state, event)
    if trial is not None and trial.record.status is TrialStatus.WAITING:
        trial.set_waiting_reason(event.reason)
        step.save_trial(trial.record)


def _trial_reported(state: State, step: Step, event: events.TrialReported) -> None:
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
            step.tell_assessor(
                TellIntermediateResult(event.trial_id, trial.record.parameter_id, metric.index, metric.value)
            )
        elif not trial.record.has_final_result:
            _take_final_result(state, step, trial, metric.value, with_final_result(trial.record, metric))
    if event.end_offset is not None:
        step.act(AcknowledgeReports(event.trial_id, event.attempt, event.end_offset))


def _take_final_result(state: State, step: Step, trial: ActiveTrial, value: Any, record: TrialRecord) -> None:
    trial.record = record
    step.save_trial(record)
    if not state.is_open:
        return
    step.tell_tuner(
        lambda number: TellFinalResult(
            number,
            record.trial_id,
            record.parameter_id,
            record.parameters,
            value,
            record.parameter_source is ParameterSource.CUSTOMIZED,
        )
    )
    state.requests.may_ask = True


def _trial_ended(state: State, step: Step, event: events.TrialEnded) -> None:
    trial = _trial_of(state, event)
    if trial is None:
        return
    del state.active[event.trial_id]
    state.deadlines.pop(event.trial_id, None)
    state.submitted_count -= 1
    record = ended_record(trial, event)
    step.save_trial(record)
    end = TellTrialEnd(0, record.trial_id, record.parameter_id, record.status)
    step.tell_assessor(end)
    if state.is_open:
        step.tell_tuner(lambda number: replace(end, number=number))
        state.requests.may_ask = True
    _count_early_failure(state, step, trial, record, event.at)


def _count_early_failure(
    state: State, step: Step, trial: ActiveTrial, record: TrialRecord, at: float
) -> None:
    if state.early_failures is None or not state.is_open:
        return
    if record.status is TrialStatus.SUCCEEDED or trial.has_reported:
        state.early_failures = None
    elif record.status is TrialStatus.FAILED:
        state.early_failures += 1
        limits = state.limits
        if limits.stop_on_early_failures and state.early_failures >= limits.early_failure_count:
            why = record.end_reason.message if record.end_reason else "unknown"
            message = (
                f"the first {state.early_failures} trials all failed without a report, "
                f"the last one with: {why}"
            )
            fail(state, step, EndReason(Actor.TRIAL, message), message, at)


def _training_service_failed(state: State, step: Step, event: events.TrainingServiceFailed) -> None:
    fail_at_once(state, step, EndReason(Actor.PLATFORM, event.message), event.at)


def _tuner_processed(state: State, step: Step, event: events.TunerProcessed) -> None:
    state.requests.last_processed = max(state.requests.last_processed, event.number)


def _algorithm_failed(state: State, step: Step, event: events.AlgorithmFailed) -> None:
    message = f"the {event.algorithm} failed: {event.message}"
    error = f"{message}\n{event.traceback}".rstrip()
    fail(state, step, EndReason(Actor.TUNER, message), error, event.at)


def _trial_judged_bad(state: State, step: Step, event: events.TrialJudgedBad) -> None:
    trial = state.active.get(event.trial_id)
    if trial is not None:
        cancel_trial(state, step, trial, EndReason(Actor.ASSESSOR, event.message), event.at)


def _cancel_requested(state: State, step: Step, event: events.CancelRequested) -> None:
    trial = state.active.get(event.trial_id)
    if trial is not None:
        cancel_trial(state, step, trial, EndReason(Actor.USER, "canceled by the user"), event.at)


def _stop_requested(state: State, step: Step, event: events.StopRequested) -> None:
    if not state.is_open:
        return
    reason = EndReason(Actor.USER if event.by_user else Actor.MANAGER, event.message)
    begin_end(state, step, ExperimentStatus.STOPPED, reason, event.at, reason)


def _config_changed(state: State, step: Step, event: events.ConfigChanged) -> None:
    state.limits = event.limits
    step.change_experiment(config=event.config)
    state.requests.may_ask = True
    state.requests.exhausted = False
    state.time_limit_reached = False
    seconds = event.limits.max_experiment_seconds
    out_of_time = seconds is not None and state.experiment.running_seconds >= seconds
    if (
        state.experiment.status is ExperimentStatus.DONE
        and not state.trial_number_is_reached
        and not out_of_time
    ):
        step.change_experiment(
            status=ExperimentStatus.RUNNING, end_reason=None, ended_at=None, running_since=event.at
        )


def _origin_found(state: State, step: Step, event: events.OriginFound) -> None:
    step.change_experiment(origin=event.origin)


def _warning_raised(state: State, step: Step, event: events.WarningRaised) -> None:
    if event.message not in state.experiment.warnings:
        step.change_experiment(warnings=(*state.experiment.warnings, event.message))


def _time_passed(state: State, step: Step, event: events.TimePassed) -> None:
    reason = EndReason(
        Actor.LIMIT, f"time limit: max_trial_duration ({state.limits.max_trial_seconds or 0:g} s) is reached"
    )
    for trial_id in [trial_id for trial_id, deadline in state.deadlines.items() if deadline <= event.at]:
        del state.deadlines[trial_id]
        cancel_trial(state, step, state.active[trial_id], reason, event.at)


_HANDLERS: dict[type, Callable[[State, Step, Any], None]] = {
    events.TrialStarted: _trial_started,
    events.TrialWaits: _trial_waits,
    events.TrialReported: _trial_reported,
    events.TrialEnded: _trial_ended,
    events.TrainingServiceFailed: _training_service_failed,
    events.ParametersProposed: take_proposal,
    events.ParametersRefused: take_refusal,
    events.TunerProcessed: _tuner_processed,
    events.AlgorithmFailed: _algorithm_failed,
    events.TrialJudgedBad: _trial_judged_bad,
    events.CancelRequested: _cancel_requested,
    events.StopRequested: _stop_requested,
    events.ConfigChanged: _config_changed,
    events.OriginFound: _origin_found,
    events.WarningRaised: _warning_raised,
    events.TimePassed: _time_passed,
}
