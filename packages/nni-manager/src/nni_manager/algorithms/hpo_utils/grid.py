"""Enumerates a search space as finer and finer grids.

A categorical parameter takes all its options. A numeric one starts with the middle of its distribution (the
0.5 quantile); every next grid halves each interval between neighbours that may still hold a new value.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

from nni_manager.algorithms.hpo_utils.formatting import value_of
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec

_SMALLEST_INTERVAL = 2.0**-40


@dataclass
class _Axis:
    """The points of one numeric parameter.

    Attributes:
        spec: The parameter.
        points: Quantiles of its distribution, rising, each with a value of its own.
        old: The points that were there before the last division.
        open_intervals: The intervals, as pairs of quantiles, that may hold more values.
        known: The values of the points.
    """

    spec: ParameterSpec
    points: list[float] = field(default_factory=lambda: [0.5])
    old: frozenset[float] = frozenset()
    open_intervals: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.5), (0.5, 1.0)])
    known: set[float] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.known.add(self._value(0.5))

    def divide(self) -> bool:
        """Halves the intervals until there is a new value; returns whether there is one."""
        self.old = frozenset(self.points)
        while True:
            self.open_intervals = [
                (left, right) for left, right in self.open_intervals if self._may_hold_more(left, right)
            ]
            if not self.open_intervals:
                return False
            middles = [(left + right) / 2 for left, right in self.open_intervals]
            self.open_intervals = [
                half
                for (left, right), middle in zip(self.open_intervals, middles, strict=True)
                for half in ((left, middle), (middle, right))
            ]
            added = [middle for middle in middles if self._is_new(middle)]
            if added:
                self.points = sorted([*self.points, *added])
                return True

    def _is_new(self, quantile: float) -> bool:
        value = self._value(quantile)
        if value in self.known:
            return False
        self.known.add(value)
        return True

    def _may_hold_more(self, left: float, right: float) -> bool:
        low, high = self._value(left), self._value(right)
        if low == high or right - left < _SMALLEST_INTERVAL:
            return False
        if self.spec.q is None or not self.known.issuperset((low, high)):
            return True
        steps = round((high - low) / self.spec.q)
        inner = (
            value_of(self.spec, _choose(self.spec, low + step * self.spec.q)) for step in range(1, steps)
        )
        return any(value not in self.known for value in inner)

    def _value(self, quantile: float) -> float:
        # The very ends are never reached, and those of a normal distribution are infinite.
        inside = min(max(quantile, _SMALLEST_INTERVAL), 1 - _SMALLEST_INTERVAL)
        return float(value_of(self.spec, number_at(self.spec, inside)))


def number_at(spec: ParameterSpec, quantile: float) -> float:
    """Returns the number at a quantile of a numeric parameter's distribution, a logarithm for log types."""
    if spec.normal_distributed:
        assert spec.mu is not None and spec.sigma is not None
        return NormalDist().inv_cdf(quantile) * spec.sigma + spec.mu
    assert spec.low is not None and spec.high is not None
    return spec.low + quantile * (spec.high - spec.low)


def grid_points(space: Mapping[ParameterKey, ParameterSpec]) -> Iterator[FormattedParameters]:
    """Yields the points of one grid after the other, the last parameter varying fastest.

    No point comes twice. The iterator ends when no interval can be divided any more.
    """
    axes = {key: _Axis(spec) for key, spec in space.items() if not spec.categorical}
    while True:
        for point in _walk(list(space.values()), axes):
            if not _is_old(point, axes):
                yield {
                    key: chosen if space[key].categorical else number_at(space[key], chosen)
                    for key, chosen in point.items()
                }
        divided = [axis.divide() for axis in axes.values()]
        if not any(divided):
            return


def _walk(
    specs: Sequence[ParameterSpec], axes: Mapping[ParameterKey, _Axis]
) -> Iterator[FormattedParameters]:
    choices: list[Sequence[Any]] = [
        range(spec.size or 0) if spec.categorical else axes[spec.key].points for spec in specs
    ]
    positions = [0] * len(specs)
    while True:
        point: FormattedParameters = {}
        active = []
        for index, spec in enumerate(specs):
            if spec.is_activated_in(point):
                point[spec.key] = choices[index][positions[index]]
                active.append(index)
        yield point
        for index in reversed(active):
            positions[index] += 1
            if positions[index] < len(choices[index]):
                break
            positions[index] = 0
        else:
            return


def _is_old(point: FormattedParameters, axes: Mapping[ParameterKey, _Axis]) -> bool:
    first_grid = all(not axis.old for axis in axes.values())
    return not first_grid and all(key not in axes or chosen in axes[key].old for key, chosen in point.items())


def _choose(spec: ParameterSpec, value: float) -> float:
    return math.log(max(value, math.ulp(0.0))) if spec.log_distributed else value
