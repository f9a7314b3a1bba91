"""The parameters that are tried first: which is next, and whether the tuner is to complete it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.state import State, Step


def initial_parameters_of(experiment: ExperimentRecord) -> tuple[dict[str, Any], ...]:
    """Returns the initial parameters in an experiment's configuration."""
    return tuple(experiment.config.get("initialParameters") or ())


def next_initial(state: State) -> dict[str, Any] | None:
    """Returns the initial parameters that are to be tried next, None when all were begun."""
    count = state.experiment.initial_count
    return state.initial_parameters[count] if count < len(state.initial_parameters) else None


def is_complete(parameters: dict[str, Any], search_space: Any) -> bool:
    """Whether parameters have everything that a search space names at its top level."""
    return not isinstance(search_space, dict) or search_space.keys() <= parameters.keys()


def completed(state: State, proposed: Any) -> Any:
    """Returns what the tuner proposed to complete the last initial parameters begun, with those in it."""
    given = state.initial_parameters[state.experiment.initial_count - 1]
    return {**proposed, **given} if isinstance(proposed, dict) else given


def give_back_initial(state: State, step: Step, parameter_ids: Collection[int]) -> None:
    """Lets initial parameters be tried later whose completion did not come about under one of these ids."""
    if state.initial_request is not None and state.initial_request in parameter_ids:
        state.initial_request = None
        step.change_experiment(initial_count=state.experiment.initial_count - 1)
