"""Pause and unpause: while an experiment is paused no trial starts, and its clock stands still."""

from __future__ import annotations

from nni_manager.engine.events import PauseRequested, UnpauseRequested
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import ExperimentStatus


def pause(state: State, step: Step, event: PauseRequested) -> None:
    """Lets running trials finish and starts no new one. What is done is paused for when it goes on."""
    if state.experiment.paused or not _may_go_on(state):
        return
    seconds = state.running_seconds(event.at)
    step.change_experiment(paused=True, running_seconds=seconds, running_since=None)
    explain_waiting(state, step)


def unpause(state: State, step: Step, event: UnpauseRequested) -> None:
    """Lets trials start again."""
    if not state.experiment.paused or not _may_go_on(state):
        return
    step.change_experiment(paused=False, running_since=event.at if state.is_open else None)
    explain_waiting(state, step)


def explain_waiting(state: State, step: Step) -> None:
    """Says of each trial that waits for a slot why it does."""
    for trial_id in state.waiting:
        step.save_trial(state.active[trial_id].change(waiting_reason=state.why_trials_wait()))


def _may_go_on(state: State) -> bool:
    """Whether trials may start, now or once the limits of what is done are raised."""
    return state.is_open or state.experiment.status is ExperimentStatus.DONE
