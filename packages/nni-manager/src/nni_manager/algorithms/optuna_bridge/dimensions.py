"""A search space in the kinds of parameters that Optuna has: options, integers, and numbers from 0 to 1."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from nni_manager.algorithms.hpo_utils.grid import number_at
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec

_MOST_OPTIONS = 500
_MOST_INTEGERS = 2**31
_TAIL = 1e-9


@dataclass(frozen=True)
class Dimension:
    """One parameter.

    Attributes:
        spec: The parameter.
        name: What Optuna calls it.
        distribution: What Optuna draws: the index of an option, as an integer where there are very many; the
            index of an integer of randint, or the multiple of q of quniform; else a number from 0 to 1, which
            is a quantile.
    """

    spec: ParameterSpec
    name: str
    distribution: BaseDistribution

    def suggest(self, trial: Trial) -> int | float:
        """Asks a trial for a number."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution):
            return int(trial.suggest_categorical(self.name, distribution.choices))  # type: ignore[arg-type]
        if isinstance(distribution, IntDistribution):
            return int(trial.suggest_int(self.name, distribution.low, distribution.high))
        assert isinstance(distribution, FloatDistribution)
        return float(trial.suggest_float(self.name, distribution.low, distribution.high))

    def chosen_of(self, drawn: int | float) -> Any:
        """Returns what is chosen for the parameter when Optuna drew a number."""
        if isinstance(self.distribution, FloatDistribution):
            if self.spec.categorical:
                size = self.spec.size or 1
                return min(math.floor(drawn * size), size - 1)
            return number_at(self.spec, drawn)
        return int(drawn) if self.spec.q is None else drawn * self.spec.q

    def drawn_of(self, chosen: Any) -> int | float:
        """Returns the number for what was chosen: the inverse of `chosen_of`."""
        spec, distribution = self.spec, self.distribution
        if isinstance(distribution, FloatDistribution):
            return float(min(max(_quantile(spec, chosen), distribution.low), distribution.high))
        if spec.q is None:
            return int(chosen)
        assert isinstance(distribution, IntDistribution)
        return int(min(max(round(chosen / spec.q), distribution.low), distribution.high))


class Dimensions:
    """The parameters of a search space that have more than one value.

    Args:
        space: The formatted search space.
    """

    def __init__(self, space: Mapping[ParameterKey, ParameterSpec]) -> None:
        self._space = space
        self._by_key = {key: _dimension(spec) for key, spec in space.items() if not spec.is_fixed()}

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What Optuna draws, by its names of the parameters."""
        return {dimension.name: dimension.distribution for dimension in self._by_key.values()}

    def suggest(self, trial: Trial) -> FormattedParameters:
        """Asks a trial for all parameters that are active in what it draws."""
        chosen: FormattedParameters = {}
        for key, spec in self._space.items():
            if spec.is_activated_in(chosen):
                dimension = self._by_key.get(key)
                chosen[key] = (
                    _only_choice(spec) if dimension is None else dimension.chosen_of(dimension.suggest(trial))
                )
        return chosen

    def encode(self, chosen: Mapping[ParameterKey, Any]) -> dict[str, int | float]:
        """Returns the numbers for formatted parameters by the names that Optuna has for them."""
        return {
            dimension.name: dimension.drawn_of(chosen[key])
            for key, dimension in self._by_key.items()
            if key in chosen
        }

    def decode(self, numbers: Mapping[str, int | float]) -> FormattedParameters:
        """Returns the formatted parameters for numbers: the inverse of `encode`."""
        chosen: FormattedParameters = {}
        for key, spec in self._space.items():
            dimension = self._by_key.get(key)
            if dimension is None:
                chosen[key] = _only_choice(spec)
            elif dimension.name in numbers:
                chosen[key] = dimension.chosen_of(numbers[dimension.name])
        return {key: value for key, value in chosen.items() if self._space[key].is_activated_in(chosen)}


def _dimension(spec: ParameterSpec) -> Dimension:
    name = json.dumps(spec.key, ensure_ascii=False)
    if spec.type == "choice" and (spec.size or 1) <= _MOST_OPTIONS:
        return Dimension(spec, name, CategoricalDistribution(range(spec.size or 1)))
    if spec.categorical:
        low, high = 0, (spec.size or 1) - 1
    elif spec.type == "quniform" and spec.q and abs(spec.values[0]) + abs(spec.values[1]) < math.inf:
        low, high = round(spec.values[0] / spec.q), round(spec.values[1] / spec.q)
    else:
        low, high = 0, _MOST_INTEGERS
    if high - low < _MOST_INTEGERS:
        return Dimension(spec, name, IntDistribution(low, high))
    if spec.normal_distributed:
        return Dimension(spec, name, FloatDistribution(_TAIL, 1 - _TAIL))
    return Dimension(spec, name, FloatDistribution(0.0, 1.0))


def _quantile(spec: ParameterSpec, chosen: Any) -> float:
    if spec.categorical:
        return (int(chosen) + 0.5) / (spec.size or 1)
    if spec.normal_distributed:
        return NormalDist(spec.mu or 0.0, spec.sigma or 1.0).cdf(chosen)
    low, high = spec.low or 0.0, spec.high or 0.0
    return float((chosen - low) / (high - low))


def _only_choice(spec: ParameterSpec) -> Any:
    if spec.categorical:
        return 0
    return spec.mu if spec.normal_distributed else spec.low
