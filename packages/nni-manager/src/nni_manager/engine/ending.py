"""How an experiment ends: by itself, by a limit, by a fault, by being told to."""

from __future__ import annotations

from dataclasses import replace

from nni_manager.engine.active_trial import ActiveTrial, ended_record
from nni_manager.engine.effects import CancelTrial
from nni_manager.engine.events import TrialEnded
from nni_manager.engine.records import EndReason
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, ExperimentStatus, TrialStatus


def cancel_trial(state: State, step: Step, trial: ActiveTrial, reason: EndReason, at: float) -> None:
    """Stops a trial. The first reason stays; a trial without a process ends at once."""
    if trial.cancel_reason is not None:
        return
    trial.cancel_reason = reason
    record = trial.record
    if trial.submitted:
        step.act(CancelTrial(record.trial_id, record.attempt))
        return
    state.waiting.remove(record.trial_id)
    del state.active[record.trial_id]
    step.save_trial(ended_record(trial, TrialEnded(record.trial_id, record.attempt, at)))


def cancel_all(state: State, step: Step, reason: EndReason, at: float) -> None:
    """Stops every trial."""
    for trial in list(state.active.values()):
        cancel_trial(state, step, trial, reason, at)


def begin_end(
    state: State, step: Step, status: ExperimentStatus, reason: EndReason, at: float, trial_reason: EndReason
) -> None:
    """Stops the trials of an experiment, which then ends with this status. The first cause stays."""
    if state.end_status is not None:
        return
    state.end_status = status
    step.set_status(ExperimentStatus.STOPPING, reason)
    cancel_all(state, step, trial_reason, at)


def fail(state: State, step: Step, reason: EndReason, error: str, at: float) -> None:
    """Ends an experiment as ERROR: its trials are stopped, its record can be resumed."""
    step.change_experiment(errors=(*state.experiment.errors, error))
    trial_reason = EndReason(Actor.MANAGER, f"the experiment failed: {reason.message}")
    begin_end(state, step, ExperimentStatus.ERROR, reason, at, trial_reason)


def fail_at_once(state: State, step: Step, reason: EndReason, at: float) -> None:
    """Ends an experiment whose trials cannot be reached; they become UNKNOWN."""
    fail(state, step, reason, reason.message, at)
    for trial in state.active.values():
        step.save_trial(replace(trial.record, status=TrialStatus.UNKNOWN))
    state.active.clear()
    state.deadlines.clear()
    state.submitted_count = 0


def settle(state: State, step: Step, at: float) -> None:
    """Brings the status in line with the limits and the tuner, and ends what has nothing left to wait for."""
    if state.end_status is not None:
        if not state.active:
            _end(state, step, state.end_status, state.experiment.end_reason, at, refused=False)
        return
    if not state.is_open:
        return
    limit = _limit_reached(state, at)
    if limit is not None:
        step.set_status(ExperimentStatus.NO_MORE_TRIAL, limit)
        if state.time_is_up(at):
            _apply_time_limit(state, step, limit, at)
    elif state.requests.exhausted:
        reason = EndReason(Actor.TUNER, "the tuner has no more trials")
        step.set_status(ExperimentStatus.TUNER_NO_MORE_TRIAL, reason)
    else:
        step.set_status(ExperimentStatus.RUNNING, None)
    nothing_to_come = limit is not None or not state.requests.may_ask
    if nothing_to_come and not state.active and state.requests.tuner_is_idle:
        _end(state, step, ExperimentStatus.DONE, state.experiment.end_reason, at, refused=True)


def _limit_reached(state: State, at: float) -> EndReason | None:
    if state.time_is_up(at):
        limit = state.limits.max_experiment_seconds
        return EndReason(Actor.LIMIT, f"max_experiment_duration ({limit:g} s) is reached")
    if state.trial_number_is_reached:
        limit_number = state.limits.max_trial_number
        return EndReason(Actor.LIMIT, f"max_trial_number ({limit_number}) is reached")
    return None


def _apply_time_limit(state: State, step: Step, reason: EndReason, at: float) -> None:
    state.time_limit_reached = True
    for trial in list(state.active.values()):
        if state.limits.stop_trials_at_time_limit or not trial.submitted:
            cancel_trial(state, step, trial, reason, at)


def _end(
    state: State, step: Step, status: ExperimentStatus, reason: EndReason | None, at: float, *, refused: bool
) -> None:
    state.requests.close(refused=refused)
    experiment = state.experiment
    since = experiment.running_since
    ran = 0.0 if since is None else max(0.0, at - since)
    step.change_experiment(
        status=status,
        end_reason=reason,
        ended_at=at,
        running_seconds=experiment.running_seconds + ran,
        running_since=None,
    )
