"""Looks for points of a search space where a function that has no gradient is large."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nni_manager.algorithms.parzen.dimensions import Array, Dimensions

_STEPS = 12
_NEIGHBOURS = 24
_WIDTHS = (-2.5, -0.5)


def climb(
    function: Callable[[Array], Array], dimensions: Dimensions, rng: np.random.Generator, starts: Array
) -> tuple[Array, Array]:
    """Goes from each start to the best of its neighbours for as long as one is better.

    A neighbour differs in one parameter: a number that is moved a little or much, or another option.

    Returns:
        The points and their values.
    """
    points, values = starts.copy(), function(starts)
    for _ in range(_STEPS):
        near = neighbours(dimensions, rng, np.repeat(points, _NEIGHBOURS, axis=0))
        of_near = function(near).reshape(len(points), _NEIGHBOURS)
        best = of_near.argmax(axis=1)
        of_best = of_near[np.arange(len(points)), best]
        better = of_best > values
        if not better.any():
            break
        points[better] = near.reshape(len(points), _NEIGHBOURS, -1)[np.arange(len(points)), best][better]
        values[better] = of_best[better]
    return points, values


def neighbours(dimensions: Dimensions, rng: np.random.Generator, rows: Array) -> Array:
    """Returns for each row one that differs in one parameter that is active, and in what depends on it."""
    count = len(rows)
    drawn = dimensions.draw(rng, count)
    # The largest of random numbers, so that each active parameter is as likely.
    which = np.where(np.isnan(rows), -1.0, rng.uniform(size=rows.shape)).argmax(axis=1)
    moved = np.where(np.isnan(rows), drawn, rows)
    moved += 10.0 ** rng.uniform(*_WIDTHS, size=(count, 1)) * rng.normal(size=rows.shape)
    bounded = dimensions.numeric[dimensions.is_bounded]
    moved[:, bounded] = np.clip(moved[:, bounded], 0.0, 1.0)
    moved[:, dimensions.categorical] = drawn[:, dimensions.categorical]
    each = np.arange(count)
    result = rows.copy()
    result[each, which] = moved[each, which]
    # What becomes active with another option has no value yet.
    return dimensions.deactivate(np.where(np.isnan(result), drawn, result))
