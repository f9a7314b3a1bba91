"""A search space as rows of numbers, so that numpy can work on many points at once.

A numeric parameter is scaled to 0..1 (a normal one to mean 0 and deviation 1), after the logarithm for log
types. A quantized one and randint get half a step more on either side, so that every value has the same
room. A choice is the index of its option. What is not active in a point (it belongs to another option) is
NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_manager.algorithms.hpo_utils.formatting import choice_of, value_of
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Dimension:
    """One parameter as a column of the rows.

    Attributes:
        spec: The parameter.
        option_count: How many options a choice has, 0 for a numeric parameter.
        is_bounded: Whether a numeric parameter is within 0..1, rather than normal.
        offset: What is subtracted from a number.
        scale: What the difference is divided by then.
        conditions: The columns and options that this parameter is active with.
    """

    spec: ParameterSpec
    option_count: int
    is_bounded: bool
    offset: float
    scale: float
    conditions: tuple[tuple[int, int], ...]


class Dimensions:
    """The columns for a search space.

    Attributes:
        columns: Them all, in the order of the search space.
        numeric: The indices of the numeric ones.
        categorical: The indices of the choices.
        is_bounded: Which of the numeric ones are within 0..1.
        feature_count: How many features `features` makes.
    """

    def __init__(self, space: Mapping[ParameterKey, ParameterSpec]) -> None:
        positions = {key: index for index, key in enumerate(space)}
        self.columns = [_dimension(spec, positions) for spec in space.values()]
        self.numeric = np.array([i for i, c in enumerate(self.columns) if not c.option_count], dtype=int)
        self.categorical = [index for index, column in enumerate(self.columns) if column.option_count]
        self.is_bounded = np.array([self.columns[index].is_bounded for index in self.numeric], dtype=bool)
        self.feature_count = 3 * len(self.numeric) + sum(column.option_count for column in self.columns)
        self._conditional = [index for index, column in enumerate(self.columns) if column.conditions]

    def encode(self, parameters: Mapping[ParameterKey, Any]) -> Array:
        """Returns the row of formatted parameters."""
        row = np.full(len(self.columns), np.nan)
        for index, column in enumerate(self.columns):
            chosen = parameters.get(column.spec.key)
            if chosen is not None:
                row[index] = chosen if column.option_count else (chosen - column.offset) / column.scale
        return row

    def decode(self, row: Array) -> FormattedParameters:
        """Returns the formatted parameters of a row, numbers rounded as their values are."""
        parameters: FormattedParameters = {}
        for number, column in zip(row.tolist(), self.columns, strict=True):
            spec = column.spec
            if math.isnan(number):
                continue
            if column.option_count:
                parameters[spec.key] = int(number)
                continue
            chosen = column.offset + number * column.scale
            if spec.type == "randint":
                parameters[spec.key] = min(max(round(chosen), 0), (spec.size or 1) - 1)
            else:
                parameters[spec.key] = choice_of(spec, value_of(spec, chosen))
        return parameters

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Returns rows drawn from the distributions that the search space states."""
        rows = np.empty((count, len(self.columns)))
        for index, column in enumerate(self.columns):
            if column.option_count:
                rows[:, index] = rng.integers(column.option_count, size=count)
            elif column.is_bounded:
                rows[:, index] = rng.uniform(size=count)
            else:
                rows[:, index] = rng.normal(size=count)
        return rows

    def features(self, rows: Array) -> npt.NDArray[np.float32]:
        """Returns x^2, x and 1 of every number, and for every choice a 1 among zeros; all 0 if not active."""
        numbers = rows[:, self.numeric]
        is_active = ~np.isnan(numbers)
        numbers = np.where(is_active, numbers, 0.0)
        blocks = [numbers**2, numbers, is_active]
        for index in self.categorical:
            blocks.append(rows[:, index, None] == np.arange(self.columns[index].option_count))
        return np.concatenate(blocks, axis=1, dtype=np.float32, casting="unsafe")

    def deactivate(self, rows: Array) -> Array:
        """Sets to NaN what is not active, and returns the rows."""
        for index in self._conditional:
            for parent, option in self.columns[index].conditions:
                rows[rows[:, parent] != option, index] = np.nan
        return rows


def _dimension(spec: ParameterSpec, positions: Mapping[ParameterKey, int]) -> Dimension:
    conditions = tuple(
        (positions[spec.key[:index]], part) for index, part in enumerate(spec.key) if isinstance(part, int)
    )
    if spec.type == "choice":
        return Dimension(spec, spec.size or 1, False, 0.0, 1.0, conditions)
    if spec.type == "randint":
        return Dimension(spec, 0, True, -0.5, float(spec.size or 1), conditions)
    if spec.normal_distributed:
        return Dimension(spec, 0, False, spec.mu or 0.0, spec.sigma or 1.0, conditions)
    low, high = spec.low or 0.0, spec.high or 0.0
    margin = spec.q / 2 if spec.q is not None and not spec.log_distributed else 0.0
    return Dimension(spec, 0, True, low - margin, (high - low + 2 * margin) or 1.0, conditions)
