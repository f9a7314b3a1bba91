"""How an experiment ends: by itself, by a limit, by a fault, by being told to."""

from __future__ import annotations

from dataclasses import replace

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.effects import CancelTrial
from nni_manager.engine.events import TrialEnded
from nni_manager.engine.initial import give_back_initial
from nni_manager.engine.records import EndReason, TunerNote
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, ExperimentStatus, TrialStatus, TunerNoteKind
from nni_manager.engine.trial_ends import (
    close_trial,
    set_aside,
    stop_with_earlier_end,
    stops_with_earlier_end,
)


def cancel_trial(state: State, step: Step, trial: ActiveTrial, reason: EndReason, at: float) -> None:
    """Stops a trial. The first reason stays; a trial without a process ends at once."""
    if trial.cancel_reason is not None and not stops_with_earlier_end(trial):
        return
    record = trial.change(cancel_reason=reason)
    if trial.submitted:
        step.save_trial(record)
        step.act(CancelTrial(record.trial_id, record.attempt))
    else:
        close_trial(state, step, trial, TrialEnded(record.trial_id, record.attempt, at))


def cancel_all(state: State, step: Step, reason: EndReason, at: float) -> None:
    """Stops every trial."""
    for trial in list(state.active.values()):
        cancel_trial(state, step, trial, reason, at)


def begin_end(
    state: State, step: Step, status: ExperimentStatus, reason: EndReason, at: float, trial_reason: EndReason
) -> None:
    """Stops the trials of an experiment, which then ends with this status. The first cause stays.

    Those that have not started go on waiting, until the experiment is resumed.
    """
    if state.end_status is not None:
        return
    state.end_status, state.end_trial_reason = status, trial_reason
    step.set_status(ExperimentStatus.STOPPING, reason)
    for trial_id in list(state.waiting):
        set_aside(state, step, state.active[trial_id])
    cancel_all(state, step, trial_reason, at)


def fail(state: State, step: Step, reason: EndReason, error: str, at: float) -> None:
    """Ends an experiment as ERROR: its trials are stopped, its record can be resumed."""
    step.change_experiment(errors=(*state.experiment.errors, error))
    begin_end(state, step, ExperimentStatus.ERROR, reason, at, _trial_reason_of_failure(reason))


def _trial_reason_of_failure(reason: EndReason) -> EndReason:
    return EndReason(Actor.MANAGER, f"the experiment failed: {reason.message}")


def call_off_end(state: State, step: Step) -> None:
    """Calls off the end of an experiment that an earlier manager was killed in; it is resumed instead.

    What it stopped goes on being stopped. Of that, trials that never started are run anew once they are known
    to be gone, as after an end that was completed.
    """
    reason = state.experiment.end_reason
    if state.experiment.status is not ExperimentStatus.STOPPING or reason is None:
        return
    for trial in state.active.values():
        wanted = trial.cancel_reason
        was_for_the_end = wanted in (reason, _trial_reason_of_failure(reason))
        if was_for_the_end and trial.submitted and trial.record.status is TrialStatus.WAITING:
            stop_with_earlier_end(step, trial)


def fail_at_once(state: State, step: Step, reason: EndReason, at: float) -> None:
    """Ends an experiment whose trials cannot be reached; they become UNKNOWN, and a resume looks for them."""
    before = {trial_id: trial.record for trial_id, trial in state.active.items()}
    fail(state, step, reason, reason.message, at)
    for trial_id in state.active:
        step.save_trial(replace(before[trial_id], status=TrialStatus.UNKNOWN))
    state.active.clear()
    state.deadlines.clear()
    state.submitted_count = 0


def settle(state: State, step: Step, at: float) -> None:
    """Brings the status in line with the limits and the tuner, and ends what has nothing left to wait for."""
    if state.end_status is not None:
        if not state.active:
            _end(state, step, state.end_status, state.experiment.end_reason, at)
        return
    if not state.is_open:
        return
    limit = state.limit_reached(at)
    if limit is not None:
        step.set_status(ExperimentStatus.NO_MORE_TRIAL, limit)
        if state.time_is_up(at):
            _apply_time_limit(state, step, limit, at)
    elif state.requests.exhausted:
        reason = EndReason(Actor.TUNER, state.requests.refusal or "the tuner has no more trials")
        step.set_status(ExperimentStatus.TUNER_NO_MORE_TRIAL, reason)
    else:
        step.set_status(ExperimentStatus.RUNNING, None)
    nothing_to_come = limit is not None or not state.requests.may_ask
    if nothing_to_come and not state.active and state.requests.tuner_is_idle:
        _end(state, step, ExperimentStatus.DONE, state.experiment.end_reason, at)


def _apply_time_limit(state: State, step: Step, reason: EndReason, at: float) -> None:
    state.time_limit_reached = True
    for trial in list(state.active.values()):
        if state.limits.stop_trials_at_time_limit or not trial.submitted:
            cancel_trial(state, step, trial, reason, at)


def _end(state: State, step: Step, status: ExperimentStatus, reason: EndReason | None, at: float) -> None:
    withdrawn = state.requests.withdraw()
    if withdrawn:
        step.note(TunerNote(TunerNoteKind.WITHDRAWN, 0, withdrawn))
    give_back_initial(state, step, withdrawn)
    step.change_experiment(
        status=status,
        end_reason=reason,
        ended_at=at,
        running_seconds=state.running_seconds(at),
        running_since=None,
        paused=state.experiment.paused and status is not ExperimentStatus.DONE,
    )
