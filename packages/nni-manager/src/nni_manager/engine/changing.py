"""Changes of the limits and of the configuration."""

from __future__ import annotations

from typing import Any

from nni_manager.engine.clock import set_deadlines
from nni_manager.engine.events import ConfigChanged
from nni_manager.engine.pausing import explain_waiting
from nni_manager.engine.records import TunerNote
from nni_manager.engine.state import State, Step
from nni_manager.engine.statuses import ExperimentStatus, TunerNoteKind


def change_config(state: State, step: Step, event: ConfigChanged) -> None:
    """Goes on with another configuration; one that has ended by itself goes on if its limits allow more."""
    state.limits = event.limits
    take_config(state, step, event.config)
    state.requests.may_ask = True
    state.requests.exhausted = False
    state.time_limit_reached = False
    set_deadlines(state)
    explain_waiting(state, step)
    if (
        state.experiment.status is ExperimentStatus.DONE
        and not state.trial_number_is_reached
        and not state.time_is_up(event.at)
    ):
        step.change_experiment(
            status=ExperimentStatus.RUNNING,
            end_reason=None,
            ended_at=None,
            running_since=None if state.experiment.paused else event.at,
        )


def take_config(state: State, step: Step, config: dict[str, Any]) -> None:
    """Takes a configuration. A changed search space goes into the history of the tuner, with the one before.

    The tuner itself was told beside the engine, under a number that was reserved for that; where none was,
    it knows the new one from its start.
    """
    before, after = state.search_space, config.get("searchSpace")
    if before != after:
        number = state.requests.take_reserved_number()
        step.note(TunerNote(TunerNoteKind.SEARCH_SPACE, 0, data=before))
        step.note(TunerNote(TunerNoteKind.SEARCH_SPACE, number, data=after))
    step.change_experiment(config=config)
