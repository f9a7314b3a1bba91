"""What the passing of time does to an experiment."""

from __future__ import annotations

from nni_manager.engine.active_trial import ActiveTrial
from nni_manager.engine.ending import cancel_trial
from nni_manager.engine.records import EndReason
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import Actor, TrialStatus

HEARTBEAT_SECONDS = 60.0
"""At least this often the time that the experiment has run is stored, so that a crash loses no more of it."""


def next_wakeup(state: State) -> float | None:
    """Returns when `pass_time` has something to do, None when time alone changes nothing."""
    times = list(state.deadlines.values())
    if state.experiment.running_since is not None:
        times.append(state.experiment.running_since + HEARTBEAT_SECONDS)
    deadline = state.experiment_deadline()
    if state.is_open and deadline is not None and not state.time_limit_reached:
        times.append(deadline)
    return min(times, default=None)


def pass_time(state: State, step: Step, at: float) -> None:
    """Stops the trials that have run for too long, and stores how long the experiment has run."""
    limit = state.limits.max_trial_seconds or 0
    reason = EndReason(Actor.LIMIT, f"time limit: max_trial_duration ({limit:g} s) is reached")
    for trial_id in [trial_id for trial_id, deadline in state.deadlines.items() if deadline <= at]:
        del state.deadlines[trial_id]
        cancel_trial(state, step, state.active[trial_id], reason, at)
    since = state.experiment.running_since
    if since is not None and at >= since + HEARTBEAT_SECONDS:
        step.change_experiment(running_seconds=state.running_seconds(at), running_since=at)


def set_deadlines(state: State) -> None:
    """Sets when running trials have run for too long, from the present limit."""
    state.deadlines.clear()
    for trial in state.active.values():
        set_deadline(state, trial)


def set_deadline(state: State, trial: ActiveTrial) -> None:
    """Sets when a trial has run for too long, if it runs and nobody wants it stopped already."""
    limit, record = state.limits.max_trial_seconds, trial.record
    if limit is None or record.started_at is None or trial.cancel_reason is not None:
        return
    if record.status is TrialStatus.RUNNING:
        state.deadlines[record.trial_id] = record.started_at + limit
