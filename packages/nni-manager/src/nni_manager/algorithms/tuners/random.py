"""Random search."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric

_logger = logging.getLogger(__name__)


class RandomTuner(Tuner):
    """Draws every parameter from its distribution, whatever the results.

    In a finite search space no parameters come twice, and NoMoreTrialError is raised once all were proposed.
    Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012.

    Args:
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
        optimize_mode: Accepted as every tuner does, and of no effect.
    """

    def __init__(self, seed: int | None = None, optimize_mode: str | None = None) -> None:
        super().__init__()
        if optimize_mode is not None:
            OptimizeMode(optimize_mode)
        self._rng = np.random.default_rng(chosen_seed(seed))
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
        return deformat_parameters(self._deduplicate(suggest(self._rng, self._space)), self._space)

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Does nothing: random search learns nothing."""


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


def chosen_seed(seed: int | None) -> int:
    """Returns the seed, or a fresh one that is logged, so that a run can be repeated afterwards."""
    if seed is None:
        seed = int(np.random.SeedSequence().generate_state(1)[0])
        _logger.info("The seed is %s.", seed)
    return seed
