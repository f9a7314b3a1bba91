"""Searches that can be asked and told: a tuner of ours, or Optuna by its own interface."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Protocol

import optuna
from nni_manager.algorithms.registry import find_algorithm
from nni_manager.algorithms.tuner import Tuner
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

OPTUNA = "optuna's TPE"
"""The name of Optuna's default sampler among the tuners."""


class Search(Protocol):
    """Something that minimizes."""

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Returns a handle for `tell`, and parameters."""

    def tell(self, handle: Any, value: float) -> None:
        """Tells a result."""

    def import_trials(self, trials: list[tuple[dict[str, Any], float]]) -> None:
        """Tells results of parameters that others drew."""


def be_quiet() -> None:
    """Keeps what tuners and Optuna say of each trial out of the tables of this process."""
    logging.getLogger("nni_manager").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")


def make_search(name: str, space: dict[str, Any], seed: int) -> Search:
    """Returns a search by the name of a tuner, or OPTUNA."""
    return OptunaSearch(space, seed) if name == OPTUNA else TunerSearch(name, space, seed)


class TunerSearch:
    """A tuner of ours."""

    def __init__(self, name: str, space: dict[str, Any], seed: int) -> None:
        built_in = find_algorithm("tuner", name)
        given: dict[str, Any] = {"optimize_mode": "minimize", "seed": seed, **built_in.fixed_arguments}
        self._tuner: Tuner = built_in.load()(**given)
        self._tuner.update_search_space(space)
        self._next_id = 0
        self._owed: dict[int, dict[str, Any]] = {}

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Returns the id of the parameters, and parameters."""
        self._next_id += 1
        (parameters,) = self._tuner.generate_multiple_parameters([self._next_id], st_callback=self._owe) or [
            self._owed.pop(min(self._owed))
        ]
        return (self._next_id, parameters), parameters

    def tell(self, handle: Any, value: float) -> None:
        """Tells a result and the end of the trial."""
        parameter_id, parameters = handle
        self._tuner.receive_trial_result(parameter_id, parameters, value)
        self._tuner.trial_end(parameter_id, True)

    def import_trials(self, trials: list[tuple[dict[str, Any], float]]) -> None:
        """Tells results of parameters that others drew."""
        self._tuner.import_data([{"parameter": parameters, "value": value} for parameters, value in trials])

    def _owe(self, parameter_id: int, parameters: dict[str, Any]) -> None:
        self._owed[parameter_id] = parameters


class OptunaSearch:
    """Optuna with its default sampler, by its own interface."""

    def __init__(self, space: dict[str, Any], seed: int) -> None:
        self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        self._space = space

    def ask(self) -> tuple[Any, dict[str, Any]]:
        """Returns Optuna's trial, and parameters."""
        trial = self._study.ask()
        return trial, _suggested(trial, self._space, "")

    def tell(self, handle: Any, value: float) -> None:
        """Tells a result."""
        self._study.tell(handle, value)

    def import_trials(self, trials: list[tuple[dict[str, Any], float]]) -> None:
        """Tells results of parameters that others drew, in a space without nesting."""
        distributions = {name: _distribution(entry) for name, entry in self._space.items()}
        self._study.add_trials(
            [
                create_trial(
                    state=TrialState.COMPLETE, value=value, params=parameters, distributions=distributions
                )
                for parameters, value in trials
            ]
        )


def _suggested(trial: optuna.Trial, space: dict[str, Any], prefix: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name, entry in space.items():
        if name == "_name":
            parameters[name] = entry
            continue
        options = entry["_value"]
        if entry["_type"] == "choice" and isinstance(options[0], dict):
            index = trial.suggest_categorical(prefix + name, list(range(len(options))))
            parameters[name] = _suggested(trial, options[index], f"{prefix}{name}.{index}.")
        else:
            parameters[name] = trial._suggest(prefix + name, _distribution(entry))
    return parameters


def _distribution(entry: dict[str, Any]) -> BaseDistribution:
    values = entry["_value"]
    match entry["_type"]:
        case "choice":
            return CategoricalDistribution(values)
        case "randint":
            return IntDistribution(values[0], values[1] - 1)
        case "quniform":
            return FloatDistribution(values[0], values[1], step=values[2])
        case kind:
            return FloatDistribution(values[0], values[1], log=kind == "loguniform")
