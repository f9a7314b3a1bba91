"""One kernel per trial: how likely each makes a point, and points drawn from them.

A kernel is a product over the parameters: a normal distribution around the trial's number, cut off at the
bounds, and for a choice the trial's option with most of the probability, the rest shared by all options.
Where the trial has no value, since the parameter was not active in it, the kernel is the distribution of the
search space.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nni_manager.algorithms.parzen.dimensions import Array, Dimensions

Single = npt.NDArray[np.float32]

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_BLOCK = 512
_FAR = 5.5


class Kernels:
    """The kernels of some trials with a common width; more can be added.

    Everything that does not depend on the point is computed once: the logarithm of a kernel is linear in
    features of a point (x^2, x and 1 for a number, one 1 among zeros for a choice), so that all kernels at
    all points are one product of matrices.

    Args:
        dimensions: The search space.
        width: The deviation of the normal distributions, in the scale of the rows.
        spread: The part of the probability of a choice that all options share.
    """

    def __init__(self, dimensions: Dimensions, width: float, spread: float) -> None:
        self._dimensions = dimensions
        self.width = width
        self.spread = spread
        self.count = 0
        self._coefficients = np.empty((dimensions.feature_count, 0), dtype=np.float32)

    def append(self, rows: Array) -> None:
        """Adds the kernels of trials."""
        count = self.count + len(rows)
        if count > self._coefficients.shape[1]:
            room = np.empty((len(self._coefficients), max(count, 64)), dtype=np.float32)
            self._coefficients = np.concatenate([self._coefficients, room], axis=1)
        # In blocks that fit the processor's cache.
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            place = slice(self.count + start, self.count + start + len(block))
            self._coefficients[:, place] = self._coefficients_of(block).T
        self.count = count

    def log_densities(self, points: Array) -> Single:
        """Returns the logarithm of each kernel (columns) at each point (rows)."""
        result: Single = self._dimensions.features(points) @ self._coefficients[:, : self.count]
        return result

    def _coefficients_of(self, rows: Array) -> Single:
        blocks = [self._number_coefficients(rows[:, self._dimensions.numeric])]
        for index in self._dimensions.categorical:
            option_count = self._dimensions.columns[index].option_count
            blocks.append(self._choice_coefficients(rows[:, index], option_count))
        return np.concatenate(blocks, axis=1)

    def _number_coefficients(self, rows: Array) -> Single:
        is_bounded = self._dimensions.is_bounded
        has_number = ~np.isnan(rows)
        numbers = np.where(has_number, rows, 0.0).astype(np.float32)
        precision = 1 / self.width**2
        mass = 1 - _upper_tail(numbers / self.width) - _upper_tail((1 - numbers) / self.width)
        constant = -0.5 * precision * numbers**2 - math.log(self.width) - _LOG_SQRT_2PI
        constant -= np.log(np.where(is_bounded, mass, np.float32(1)))
        # The density without a value: 1 within the bounds, the standard normal one without bounds.
        square_without = np.where(is_bounded, np.float32(0), np.float32(-0.5))
        constant_without = np.where(is_bounded, np.float32(0), np.float32(-_LOG_SQRT_2PI))
        blocks = [
            np.where(has_number, np.float32(-0.5 * precision), square_without),
            numbers * np.float32(precision),
            np.where(has_number, constant, constant_without),
        ]
        return np.concatenate(blocks, axis=1)

    def _choice_coefficients(self, chosen: Array, option_count: int) -> Single:
        other = self.spread / option_count
        is_chosen = chosen[:, None] == np.arange(option_count)
        same = np.float32(math.log(1 - self.spread + other))
        result = np.where(is_chosen, same, np.float32(math.log(other)))
        result[np.isnan(chosen)] = -math.log(option_count)
        return result

    def draw(self, rng: np.random.Generator, rows: Array) -> Array:
        """Returns one point drawn from the kernel of each row."""
        points = self._dimensions.draw(rng, len(rows))
        for index, column in enumerate(self._dimensions.columns):
            centers, drawn = rows[:, index], points[:, index]
            if column.option_count:
                keep = (rng.uniform(size=len(rows)) >= self.spread) & ~np.isnan(centers)
                drawn[keep] = centers[keep]
            elif column.is_bounded:
                _draw_inside(rng, centers, self.width, drawn)
            else:
                numbers = centers + self.width * rng.normal(size=len(rows))
                drawn[:] = np.where(np.isnan(centers), drawn, numbers)
        return self._dimensions.deactivate(points)


def prior_log_density(dimensions: Dimensions, points: Array) -> Array:
    """Returns the logarithm of the density that the search space states at each point."""
    result = np.zeros(len(points))
    for index, column in enumerate(dimensions.columns):
        numbers = points[:, index]
        if column.option_count:
            result -= np.where(np.isnan(numbers), 0.0, math.log(column.option_count))
        elif not column.is_bounded:
            result += np.nan_to_num(-0.5 * numbers**2 - _LOG_SQRT_2PI)
    return result


def _draw_inside(rng: np.random.Generator, centers: Array, width: float, drawn: Array) -> None:
    """Replaces numbers by ones drawn around the centers, within 0..1; those without a center stay."""
    todo = np.flatnonzero(~np.isnan(centers))
    while len(todo):
        numbers = centers[todo] + width * rng.normal(size=len(todo))
        is_inside = (numbers >= 0) & (numbers <= 1)
        drawn[todo[is_inside]] = numbers[is_inside]
        todo = todo[~is_inside]


def _upper_tail(x: Single) -> Single:
    """Returns the standard normal probability above |x|, to 1e-7 (Abramowitz and Stegun, 26.2.17)."""
    result = np.zeros_like(x)
    is_near = np.abs(x) < _FAR
    x = np.abs(x[is_near])
    t = 1 / (1 + 0.2316419 * x)
    polynomial = 0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    result[is_near] = t * np.exp(-0.5 * x * x - _LOG_SQRT_2PI) * polynomial
    return result
