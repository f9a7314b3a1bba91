"""The end of a trial for good, and the end of an attempt after which it is run again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nni_manager.engine.active_trial import ActiveTrial, ended_record, failure
from nni_manager.engine.effects import TellFinalResult, TellTrialEnd
from nni_manager.engine.events import TrialEnded
from nni_manager.engine.objective import result_of_failure
from nni_manager.engine.records import EndReason, TrialRecord
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, TrialStatus

_CALLED_OFF = "stopped with the experiment, which was resumed"


def close_trial(state: State, step: Step, trial: ActiveTrial, event: TrialEnded) -> TrialRecord:
    """Ends a trial and tells the algorithms; returns the trial as it has ended."""
    _give_up_place(state, trial)
    del state.active[event.trial_id]
    record = ended_record(trial, event)
    step.save_trial(record)
    _tell_result_of_failure(state, step, record)
    end = TellTrialEnd(0, record.trial_id, record.parameter_id, record.status)
    step.tell_assessor(end)
    step.tell_tuner(lambda number: replace(end, number=number))
    return record


def may_retry(state: State, trial: ActiveTrial, event: TrialEnded) -> bool:
    """Whether a trial is to be run again: it died by a signal or with its machine, and nobody wanted that."""
    return (
        event.exit_code is None
        and trial.cancel_reason is None
        and not trial.record.has_final_result
        and _retries(trial.record) < state.limits.max_trial_retries
        and state.is_open
        and not state.time_is_up(event.at)
    )


def _retries(record: TrialRecord) -> int:
    """Returns how often a trial was run again: attempts that were stopped before they started are none."""
    return sum(end.actor in (Actor.TRIAL, Actor.PLATFORM) for end in record.earlier_ends)


def retry(state: State, step: Step, trial: ActiveTrial, event: TrialEnded) -> None:
    """Queues a trial to be run again before the others that wait. The algorithms hear nothing of it."""
    _give_up_place(state, trial)
    reason = failure(event)
    step.save_trial(trial.begin_attempt(reason, f"it is to be run again: {reason.message}"))
    state.waiting.appendleft(event.trial_id)


def _tell_result_of_failure(state: State, step: Step, record: TrialRecord) -> None:
    """Tells the tuner of a result that stands for that of a failed trial, if there is to be one."""
    if record.status is not TrialStatus.FAILED or record.has_final_result:
        return
    value = result_of_failure(state.limits.failed_trial_result, state.experiment.optimize_mode, state.results)
    if value is None:
        return
    tell_final_result(step, record, value, stands_in=True)


def tell_final_result(step: Step, record: TrialRecord, value: Any, *, stands_in: bool = False) -> None:
    """Tells the tuner a trial's final result.

    Args:
        step: Gets the call.
        record: The trial.
        value: The result.
        stands_in: Whether it stands for one that a failed trial has not.
    """
    step.tell_tuner(
        lambda number: TellFinalResult(
            number,
            record.trial_id,
            record.parameter_id,
            record.parameters,
            value,
            customized=record.parameter_id is None,
            stands_in=stands_in,
        )
    )


def never_started_before_the_end(state: State, trial: ActiveTrial) -> bool:
    """Whether a trial that has ended never started, and was stopped for an end of the experiment alone."""
    wanted = trial.cancel_reason
    if wanted is None or trial.record.status is not TrialStatus.WAITING:
        return False
    return wanted == state.end_trial_reason or stops_with_earlier_end(trial)


def stops_with_earlier_end(trial: ActiveTrial) -> bool:
    """Whether a trial is being stopped for an end of the experiment that a resume has called off."""
    return trial.cancel_reason is not None and trial.cancel_reason.message == _CALLED_OFF


def stop_with_earlier_end(step: Step, trial: ActiveTrial) -> None:
    """Notes that of a trial. One that never started is to run then."""
    if trial.cancel_reason is not None:
        step.save_trial(trial.change(cancel_reason=replace(trial.cancel_reason, message=_CALLED_OFF)))


def run_after_all(state: State, step: Step, trial: ActiveTrial) -> None:
    """Queues a trial that never started before the experiment's end, which a resume has called off."""
    _give_up_place(state, trial)
    reason = "the experiment ended before it started"
    trial.begin_attempt(trial.cancel_reason or EndReason(Actor.MANAGER, reason), reason)
    step.save_trial(trial.change(cancel_reason=None))
    state.waiting.appendleft(trial.record.trial_id)


def set_aside(state: State, step: Step, trial: ActiveTrial) -> None:
    """Lets a trial wait for a resume of the experiment, which is ending; the algorithms hear nothing."""
    _give_up_place(state, trial)
    del state.active[trial.record.trial_id]
    reason = "the experiment ended before it started; it runs when the experiment is resumed"
    if trial.submitted:  # what was submitted once is not submitted again as the same attempt
        trial.begin_attempt(trial.cancel_reason or EndReason(Actor.MANAGER, reason), reason)
    step.save_trial(trial.change(waiting_reason=reason, cancel_reason=None))


def _give_up_place(state: State, trial: ActiveTrial) -> None:
    state.deadlines.pop(trial.record.trial_id, None)
    if trial.submitted:
        state.submitted_count -= 1
    else:
        state.waiting.remove(trial.record.trial_id)
