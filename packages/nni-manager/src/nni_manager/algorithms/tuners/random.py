"""Random search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import (
    Deduplicator,
    deformat_parameters,
    format_parameters,
    format_search_space,
)
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric


class RandomTuner(BuiltInTuner):
    """Draws every parameter from its distribution, whatever the results.

    In a finite search space no parameters come twice, those that a user chose or imported included, and
    NoMoreTrialError is raised once all were there.
    Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012.

    Args:
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
        optimize_mode: Accepted as every tuner does, and of no effect.
    """

    def __init__(self, seed: int | None = None, optimize_mode: str | None = None) -> None:
        super().__init__(seed)
        self._mode = None if optimize_mode is None else OptimizeMode(optimize_mode)
        self._space: dict[ParameterKey, ParameterSpec] = {}
        self._deduplicate = Deduplicator({})

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; what was proposed before may come again in a changed one."""
        self._space = format_search_space(search_space)
        self._deduplicate = Deduplicator(self._space)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns random parameters.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        chosen = self._deduplicate(suggest(self._rng(parameter_id), self._space))
        return deformat_parameters(chosen, self._space)

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that these parameters were proposed."""
        if not self._deduplicate.never_repeats:
            self._note(parameters)

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Takes note of parameters that were not proposed here; random search learns nothing else."""
        problem = self._note(parameters)
        if problem and kwargs.get("customized"):
            self._ignore(result_name(parameter_id), problem)

    def _note(self, parameters: Parameters) -> str:
        """Notes parameters as known; returns why they are not of the search space, "" when they are."""
        try:
            self._deduplicate.add_history(format_parameters(parameters, self._space))
        except ValueError as error:
            return str(error)
        return ""


def suggest(rng: np.random.Generator, space: Mapping[ParameterKey, ParameterSpec]) -> FormattedParameters:
    """Returns random parameters of a formatted search space."""
    parameters: FormattedParameters = {}
    for key, spec in space.items():
        if spec.is_activated_in(parameters):
            parameters[key] = suggest_parameter(rng, spec)
    return parameters


def suggest_parameter(rng: np.random.Generator, spec: ParameterSpec) -> Any:
    """Returns a random choice of one parameter: an index, or a number that is a logarithm for log types."""
    if spec.categorical:
        return int(rng.integers(spec.size or 0))
    if spec.normal_distributed:
        return float(rng.normal(spec.mu or 0.0, spec.sigma or 0.0))
    return float(rng.uniform(spec.low or 0.0, spec.high or 0.0))
