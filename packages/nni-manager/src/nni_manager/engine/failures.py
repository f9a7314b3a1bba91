"""What failed trials mean for their experiment."""

from __future__ import annotations

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.ending import fail
from nni_manager.engine.records import EndReason, TrialRecord
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, TrialStatus


def count_failure(state: State, step: Step, trial: ActiveTrial, record: TrialRecord, at: float) -> None:
    """Counts a trial that has ended, and ends the experiment when too many have failed.

    Args:
        state: The experiment.
        step: Gets what changes.
        trial: The trial as it was when it ran.
        record: The trial as it has ended.
        at: The time now.
    """
    if record.status is TrialStatus.SUCCEEDED or trial.has_reported:
        state.early_failures = None
    if record.status is not TrialStatus.FAILED:
        return
    state.failed_count += 1
    if state.early_failures is not None:
        state.early_failures += 1
    if state.is_open:
        why = record.end_reason.message if record.end_reason else "unknown"
        _end_early(state, step, why, at)
        _end_at_limit(state, step, why, at)


def _end_early(state: State, step: Step, why: str, at: float) -> None:
    count, limits = state.early_failures, state.limits
    if count is None or not limits.stop_on_early_failures or count < limits.early_failure_count:
        return
    message = f"the first {count} trials all failed without a report, the last one with: {why}"
    fail(state, step, EndReason(Actor.TRIAL, message), message, at)


def _end_at_limit(state: State, step: Step, why: str, at: float) -> None:
    limit = state.limits.max_failed_trial_number
    if limit is None or state.failed_count < limit or not state.is_open:
        return
    message = (
        f"max_failed_trial_number ({limit}) is reached: {state.failed_count} trials have failed, "
        f"the last one with: {why}"
    )
    fail(state, step, EndReason(Actor.LIMIT, message), message, at)
