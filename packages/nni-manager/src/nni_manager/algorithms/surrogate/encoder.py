"""A search space as vectors of numbers from 0 to 1, for regression models."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions

MOST_OPTIONS = 64
"""A choice of more options than this is one column."""
_TAIL = 1e-3
_LARGEST = math.log(sys.float_info.max)
_WIDTHS = (-3.0, -0.5)


class Encoder:
    """Between formatted parameters and vectors.

    A number is scaled to 0..1, after the logarithm for log types; a normal one becomes its quantile.
    A quantized one and randint are in the middle of the interval of all that is rounded to it. A choice has
    a column for every option, 1 for the chosen one and 0 for the others (one-hot); one of more than
    MOST_OPTIONS options has a single column, by the index of the option. What is not active in a point, or
    not known, is in the middle: 0.5, and 1 / options for a choice.

    Args:
        space: The formatted search space.

    Attributes:
        size: How many columns there are.
        groups: The columns of each parameter, in the order of the search space.
        is_numeric: Which columns are of numbers, rather than of options.
    """

    def __init__(self, space: Mapping[ParameterKey, ParameterSpec]) -> None:
        self._dimensions = Dimensions(space)
        columns = self._dimensions.columns
        self._normal = [
            index for index, column in enumerate(columns) if not column.option_count and not column.is_bounded
        ]
        widths = [column.option_count if 0 < column.option_count <= MOST_OPTIONS else 1 for column in columns]
        ends = np.cumsum(widths, dtype=int).tolist()
        self.groups = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
        self.size = ends[-1] if ends else 0
        self.is_numeric = np.zeros(self.size, dtype=bool)
        for column, group in zip(columns, self.groups, strict=True):
            self.is_numeric[group] = not column.option_count

    def encode(self, formatted: Mapping[ParameterKey, Any]) -> Array:
        """Returns the vector of formatted parameters, of which some may be missing."""
        (vector,) = self._vectors(self._dimensions.encode(formatted)[np.newaxis])
        return cast(Array, vector)

    def decode(self, vector: Array) -> FormattedParameters:
        """Returns the formatted parameters nearest to a vector, only the active ones."""
        return self._dimensions.decode(self._rounded(self._rows(vector[np.newaxis]))[0])

    def random(self, rng: np.random.Generator, count: int) -> Array:
        """Returns points drawn from the distributions that the search space states, one a row."""
        return self._vectors(self._rounded(self._dimensions.draw(rng, count)))

    def near(self, rng: np.random.Generator, vectors: Array, count: int) -> Array:
        """Returns points near vectors, one a row: numbers moved a little or much, now and then drawn anew.

        Args:
            rng: Random numbers.
            vectors: The centers, one a row; each point has one of them.
            count: How many points.
        """
        rows = self._rows(vectors)[rng.integers(len(vectors), size=count)]
        drawn = self._dimensions.draw(rng, count)
        widths = 10.0 ** rng.uniform(*_WIDTHS, size=(count, 1))
        numeric = self._dimensions.numeric
        rows[:, numeric] += widths * rng.normal(size=(count, len(numeric)))
        bounded = numeric[self._dimensions.is_bounded]
        rows[:, bounded] = np.clip(rows[:, bounded], 0.0, 1.0)
        replaced = rng.uniform(size=rows.shape) < 1.0 / max(rows.shape[1], 1)
        # What becomes active with another option has no value yet.
        return self._vectors(self._rounded(np.where(replaced | np.isnan(rows), drawn, rows)))

    def snap(self, vectors: Array) -> Array:
        """Returns for each vector the nearest one that parameters have, what is not active in the middle."""
        return self._vectors(self._rounded(self._rows(vectors)))

    def movable(self, vectors: Array) -> npt.NDArray[np.bool_]:
        """Returns which entries a local search may move: active numbers of many values.

        What a model says between a few integers is no help for choosing one of them.
        """
        rows = self._rows(vectors)
        result = np.zeros(vectors.shape, dtype=bool)
        for index in self._dimensions.numeric.tolist():
            if _value_count(self._dimensions.columns[index].spec) > MOST_OPTIONS:
                result[:, self.groups[index].start] = ~np.isnan(rows[:, index])
        return result

    def _rounded(self, rows: Array) -> Array:
        """Rounds the rows of Dimensions as values are, and returns them with what is not active as NaN."""
        for index in self._dimensions.numeric.tolist():
            column = self._dimensions.columns[index]
            spec = column.spec
            chosen = column.offset + rows[:, index] * column.scale
            if spec.type == "randint":
                chosen = np.clip(np.round(chosen), 0, (spec.size or 1) - 1)
            elif spec.q is None:
                if spec.is_fixed():
                    rows[:, index] = 0.0
                continue
            else:
                if spec.clip is not None:
                    chosen = np.clip(chosen, spec.low, spec.high)
                numbers = np.exp(np.minimum(chosen, _LARGEST)) if spec.log_distributed else chosen
                numbers = np.round(numbers / spec.q) * spec.q
                if spec.clip is not None:
                    numbers = np.clip(numbers, *spec.clip)
                # What is rounded to 0 has no logarithm; see choice_of.
                chosen = (
                    np.log(np.where(numbers > 0, numbers, spec.q / 2)) if spec.log_distributed else numbers
                )
            rows[:, index] = (chosen - column.offset) / column.scale
        return self._dimensions.deactivate(rows)

    def _vectors(self, rows: Array) -> Array:
        """Returns the vectors of the rows of Dimensions."""
        rows[:, self._normal] = ndtr(rows[:, self._normal])
        vectors = np.empty((len(rows), self.size))
        for index, (column, group) in enumerate(zip(self._dimensions.columns, self.groups, strict=True)):
            chosen = rows[:, index, np.newaxis]
            count = column.option_count
            if not count:
                vectors[:, group] = np.where(np.isnan(chosen), 0.5, np.clip(chosen, 0.0, 1.0))
            elif count > MOST_OPTIONS:
                vectors[:, group] = np.where(np.isnan(chosen), 0.5, (chosen + 0.5) / count)
            else:
                vectors[:, group] = np.where(np.isnan(chosen), 1 / count, chosen == np.arange(count))
        return vectors

    def _rows(self, vectors: Array) -> Array:
        """Returns the rows of Dimensions for vectors."""
        rows = np.empty((len(vectors), len(self.groups)))
        for index, (column, group) in enumerate(zip(self._dimensions.columns, self.groups, strict=True)):
            part = vectors[:, group]
            count = column.option_count
            if not count:
                rows[:, index] = part[:, 0]
            elif count > MOST_OPTIONS:
                rows[:, index] = np.clip(np.floor(part[:, 0] * count), 0, count - 1)
            else:
                rows[:, index] = part.argmax(axis=1)
        rows[:, self._normal] = ndtri(np.clip(rows[:, self._normal], _TAIL, 1 - _TAIL))
        return self._dimensions.deactivate(rows)


def _value_count(spec: ParameterSpec) -> float:
    """Returns about how many values a numeric parameter has."""
    if spec.is_fixed():
        return 1
    if spec.type == "randint":
        return spec.size or 1
    if spec.q is None:
        return math.inf
    if spec.clip is not None:
        return (spec.clip[1] - spec.clip[0]) / spec.q
    mu, sigma = spec.mu or 0.0, spec.sigma or 0.0
    ends = [mu - 3 * sigma, mu + 3 * sigma]
    if spec.log_distributed:
        ends = [math.exp(min(end, _LARGEST)) for end in ends]
    return (ends[1] - ends[0]) / spec.q
