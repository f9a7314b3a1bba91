"""Looks for the points of a search space where a function is largest."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.optimize import minimize

from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.surrogate.encoder import Encoder

_CHUNK = 4096
_ITERATIONS = 60
_WARM_UP_WORK = 500_000
_CLIMB_WORK = 10_000
_KEPT = 20


class Function(Protocol):
    """A function of points, one a row.

    Attributes:
        width: By how much the work for a point grows: the number of trials that the function is made of.
    """

    @property
    def width(self) -> int: ...  # noqa: D102

    def __call__(self, points: Array) -> Array:
        """Returns the values at points."""

    def with_gradient(self, points: Array) -> tuple[Array, Array]:
        """Returns the values at points and their gradients, one a row."""


def most_promising(
    function: Function,
    encoder: Encoder,
    rng: np.random.Generator,
    centers: Array,
    warm_up: int,
    starts: int,
) -> Array:
    """Returns points with large values of a function, the largest first, all of them ones of parameters.

    Half of the points that are looked at first are drawn from the search space's distributions and half near
    the centers. L-BFGS-B goes on from the best of them. Where the model is of many trials or the space of
    many columns, there are fewer of both, so that the work is bounded.

    Args:
        function: The function.
        encoder: The search space.
        rng: Random numbers.
        centers: Points in whose neighbourhood to look.
        warm_up: How many points to look at first.
        starts: From how many of them to go on; 0 for none.
    """
    width = encoder.size + function.width
    count = max(min(warm_up, _WARM_UP_WORK // width), 2)
    points = np.concatenate([encoder.random(rng, count - count // 2), encoder.near(rng, centers, count // 2)])
    starts = min(starts, max(_CLIMB_WORK // width, 10))
    found = largest(function, points, max(starts, _KEPT))
    ends = encoder.snap(climb(function, encoder, found[:starts])) if starts else found[:0]
    return largest(function, np.concatenate([ends, found]), _KEPT)


def largest(function: Function, points: Array, count: int) -> Array:
    """Returns the points with the largest values, the largest first."""
    values = np.concatenate(
        [function(points[start : start + _CHUNK]) for start in range(0, len(points), _CHUNK)]
    )
    return points[np.argsort(-values, kind="stable")[:count]]


def climb(function: Function, encoder: Encoder, starts: Array) -> Array:
    """Returns where L-BFGS-B gets from each start, all at once; only active numbers move."""
    moves = encoder.movable(starts)
    if not moves.any():
        return starts

    def negative(free: Array) -> tuple[float, Array]:
        points = starts.copy()
        points[moves] = free
        values, gradients = function.with_gradient(points)
        return -float(values.sum()), -gradients[moves]

    found = minimize(
        negative,
        starts[moves],
        method="L-BFGS-B",
        jac=True,
        bounds=[(0.0, 1.0)] * int(moves.sum()),
        options={"maxiter": _ITERATIONS},
    )
    ends = starts.copy()
    ends[moves] = found.x
    return ends
