"""Keeps a tuner from proposing the same parameters twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from nni import NoMoreTrialError

from nni_manager.algorithms.hpo_utils.formatting import deformat_parameters
from nni_manager.algorithms.hpo_utils.grid import grid_points
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec

_logger = logging.getLogger(__name__)


class Deduplicator:
    """Replaces parameters that were proposed before by others that were not.

    In a space where a point can hardly come twice (some parameter outside a nested choice is continuous)
    nothing is remembered and everything is let through.
    """

    def __init__(self, formatted_search_space: Mapping[ParameterKey, ParameterSpec]) -> None:
        self._space = dict(formatted_search_space)
        self._seen: set[str] = set()
        self._grid: Iterator[FormattedParameters] | None = None
        self.never_repeats = any(_is_continuous(spec) for spec in self._space.values())

    def __call__(self, formatted_parameters: FormattedParameters) -> FormattedParameters:
        """Returns the same parameters if they are new, otherwise others that are.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        if self.is_new(formatted_parameters):
            self.add_history(formatted_parameters)
            return formatted_parameters
        if self._grid is None:
            _logger.info("Parameters came twice; what is left of the search space is taken in order.")
            self._grid = grid_points(self._space)
        for candidate in self._grid:
            if self.is_new(candidate):
                self.add_history(candidate)
                return candidate
        raise NoMoreTrialError("Search space fully explored")

    def is_new(self, formatted_parameters: Mapping[ParameterKey, Any]) -> bool:
        """Returns whether these parameters were not proposed yet."""
        return self.never_repeats or self._name(formatted_parameters) not in self._seen

    def add_history(self, formatted_parameters: Mapping[ParameterKey, Any]) -> None:
        """Notes that these parameters were proposed."""
        if not self.never_repeats:
            self._seen.add(self._name(formatted_parameters))

    def _name(self, formatted_parameters: Mapping[ParameterKey, Any]) -> str:
        return parameters_name(deformat_parameters(formatted_parameters, self._space))


def parameters_name(parameters: Mapping[str, Any]) -> str:
    """Returns a text that is the same for equal parameters."""
    return json.dumps(parameters, sort_keys=True, default=repr)


def _is_continuous(spec: ParameterSpec) -> bool:
    return not spec.categorical and spec.q is None and not spec.is_nested() and not spec.is_fixed()
