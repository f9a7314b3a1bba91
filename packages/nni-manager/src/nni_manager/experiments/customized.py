"""Checks what a person gives a running experiment: parameters to try, results from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nni_config import ExperimentConfig
from nni_config.initial_parameters import initial_parameters_problems
from nni_config.names import short
from nni_config.space_of_points import takes_points

from nni_manager.experiments.errors import InvalidArgumentError

_NAMED = 5


def checked_parameters(config: ExperimentConfig, parameters: Any) -> None:
    """Refuses parameters that a built-in tuner could not learn from; a tuner of one's own takes any.

    Args:
        config: The experiment's configuration.
        parameters: The parameters of a trial.

    Raises:
        InvalidArgumentError: They do not fit the search space.
    """
    _refuse([f"parameters{problem}" for problem in _misfits(config, parameters)])


def checked_import(config: ExperimentConfig, trials: Sequence[dict[str, Any]]) -> None:
    """Refuses results that a built-in tuner could not learn from; a tuner of one's own takes any.

    Args:
        config: The experiment's configuration.
        trials: {"parameter": ..., "value": ...} each.

    Raises:
        InvalidArgumentError: One has parameters that do not fit the search space, or no number as its value.
    """
    problems = []
    for number, trial in enumerate(trials):
        problems += [f"trials[{number}].parameters{text}" for text in _misfits(config, trial["parameter"])]
        if _is_built_in(config) and not _has_number(trial["value"]):
            problems.append(
                f"trials[{number}].value: {short(trial['value'])} is not a number; allowed is a number, or "
                "an object with a number under default"
            )
    _refuse(problems)


def _misfits(config: ExperimentConfig, parameters: Any) -> list[str]:
    """Returns where parameters do not fit, each beginning with the way there."""
    space = config.search_space
    if config.tuner is not None and takes_points(config.tuner.name):
        return []  # what is no option of its search space does not concern the tuner
    if not _is_built_in(config) or not isinstance(space, dict):
        return []
    if not isinstance(parameters, dict):
        return [f": {short(parameters)} is not an object; allowed are values for {', '.join(space)}"]
    missing = [
        f".{name}: it is missing; every parameter is needed" for name in space.keys() - parameters.keys()
    ]
    wrong = initial_parameters_problems([parameters], space)
    return [*sorted(missing), *(str(problem).removeprefix("[0]") for problem in wrong)]


def _has_number(value: Any) -> bool:
    number = value.get("default") if isinstance(value, dict) else value
    return isinstance(number, int | float) and not isinstance(number, bool)


def _is_built_in(config: ExperimentConfig) -> bool:
    return config.tuner is not None and not config.tuner.is_own()


def _refuse(problems: list[str]) -> None:
    if not problems:
        return
    more = len(problems) - _NAMED
    rest = [f"and {more} more problems"] if more > 0 else []
    raise InvalidArgumentError("\n".join([*problems[:_NAMED], *rest]))
