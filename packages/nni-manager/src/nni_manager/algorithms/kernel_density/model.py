"""Where good points are dense and others are not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nni_manager.algorithms.kernel_density.density import Density
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.history import History

MOST_GOOD = 200
MOST_OTHERS = 800
_LEAST_LOG_DENSITY = math.log(1e-32)


@dataclass(frozen=True)
class ModelSettings:
    """How the model is made, the arguments of BOHB.

    Attributes:
        min_points: The least number of good points, and of others; there are always more than columns.
        top_n_percent: How many of the points are good.
        num_samples: How many candidates are drawn.
        bandwidth_factor: How much wider than the kernels the candidates of a number are drawn.
        min_bandwidth: The least width of a kernel.
    """

    min_points: int
    top_n_percent: int
    num_samples: int
    bandwidth_factor: float
    min_bandwidth: float


class Model:
    """The densities l and g of the good points and of the others on one budget.

    Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", 2018, equations 2, 3.
    Of more than MOST_GOOD good points the best are taken, of more than MOST_OTHERS others the latest.
    """

    def __init__(
        self, good: Density, others: Density, dimensions: Dimensions, settings: ModelSettings
    ) -> None:
        self._good = good
        self._others = others
        self._dimensions = dimensions
        self._settings = settings

    def candidates(self, rng: np.random.Generator) -> Array:
        """Returns points drawn around good ones, that with the largest l / g first."""
        points = self._draw(rng, self._settings.num_samples)
        ratio = np.maximum(self._good.log_density(points), _LEAST_LOG_DENSITY)
        ratio -= np.maximum(self._others.log_density(points), _LEAST_LOG_DENSITY)
        return self._dimensions.deactivate(points[np.argsort(-ratio, kind="stable")])

    def _draw(self, rng: np.random.Generator, count: int) -> Array:
        rows = self._good.rows
        points = rows[rng.integers(len(rows), size=count)].copy()
        for index, column in enumerate(self._dimensions.columns):
            width, numbers = self._good.bandwidths[index], points[:, index]
            if column.option_count:
                changed = rng.uniform(size=count) < width
                numbers[changed] = rng.integers(column.option_count, size=count)[changed]
            elif column.is_bounded:
                numbers[:] = _truncated(rng, numbers, width * self._settings.bandwidth_factor)
            else:
                numbers += rng.normal(size=count) * width * self._settings.bandwidth_factor
        return points


def fitted(
    history: History, dimensions: Dimensions, settings: ModelSettings, rng: np.random.Generator
) -> Model | None:
    """Returns the model of the results on one budget, None when they are too few.

    Args:
        history: The results; failures are infinite and never good.
        dimensions: What the columns are.
        settings: How it is made.
        rng: Fills in what is not active in a point.
    """
    least = max(settings.min_points, len(dimensions.columns) + 1)
    if history.count < 2 * least:
        return None
    order = np.argsort(history.losses, kind="stable")
    good_count = max(least, settings.top_n_percent * history.count // 100)
    good, others = order[:good_count], order[good_count:]
    if len(others) < least or math.isinf(history.losses[good[-1]]):
        return None
    densities = [
        Density(
            _imputed(history.rows[np.sort(places)], dimensions, rng),
            dimensions.columns,
            settings.min_bandwidth,
        )
        for places in (good[:MOST_GOOD], np.sort(others)[-MOST_OTHERS:])
    ]
    return Model(densities[0], densities[1], dimensions, settings)


def _imputed(rows: Array, dimensions: Dimensions, rng: np.random.Generator) -> Array:
    """Returns rows in which what is not active has the value of another row, a random one without any."""
    filled = rows.copy()
    for index in np.flatnonzero(np.isnan(rows).any(axis=0)):
        numbers = filled[:, index]
        is_missing = np.isnan(numbers)
        known = numbers[~is_missing]
        count = int(is_missing.sum())
        others = known if len(known) else dimensions.draw(rng, count)[:, index]
        numbers[is_missing] = rng.choice(others, size=count)
    return filled


def _truncated(rng: np.random.Generator, centers: Array, width: float) -> Array:
    """Returns numbers from normal distributions that are cut off at 0 and 1."""
    centers = np.clip(centers, 0.0, 1.0)
    drawn = np.empty(len(centers))
    todo = np.arange(len(centers))
    while len(todo):
        numbers = centers[todo] + width * rng.normal(size=len(todo))
        is_inside = (numbers >= 0) & (numbers <= 1)
        drawn[todo[is_inside]] = numbers[is_inside]
        todo = todo[~is_inside]
    return drawn
