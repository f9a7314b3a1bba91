"""Random values of each `_type`.

The last argument of every function is a numpy RandomState. Values are rounded to a multiple of q with ties
to the even one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def choice(options: Sequence[Any], random_state: np.random.RandomState) -> Any:
    """Returns one of the options."""
    return options[random_state.randint(len(options))]


def randint(lower: int, upper: int, random_state: np.random.RandomState) -> int:
    """Returns an integer from `lower` up to but without `upper`."""
    return int(random_state.randint(lower, upper))


def uniform(low: float, high: float, random_state: np.random.RandomState) -> float:
    """Returns a number between `low` and `high`."""
    assert high >= low, "Upper bound must be larger than lower bound"
    return float(random_state.uniform(low, high))


def quniform(low: float, high: float, q: float, random_state: np.random.RandomState) -> float:
    """Returns a multiple of `q`, kept between `low` and `high`."""
    return _clip(_round(uniform(low, high, random_state), q), low, high)


def loguniform(low: float, high: float, random_state: np.random.RandomState) -> float:
    """Returns a number between `low` and `high` whose logarithm is uniform."""
    assert low > 0, "Lower bound must be positive"
    return _clip(float(np.exp(uniform(float(np.log(low)), float(np.log(high)), random_state))), low, high)


def qloguniform(low: float, high: float, q: float, random_state: np.random.RandomState) -> float:
    """Returns a multiple of `q` near a number whose logarithm is uniform, kept between `low` and `high`."""
    return _clip(_round(loguniform(low, high, random_state), q), low, high)


def normal(mu: float, sigma: float, random_state: np.random.RandomState) -> float:
    """Returns a normally distributed number."""
    return float(random_state.normal(mu, sigma))


def qnormal(mu: float, sigma: float, q: float, random_state: np.random.RandomState) -> float:
    """Returns a multiple of `q` near a normally distributed number."""
    return _round(normal(mu, sigma, random_state), q)


def lognormal(mu: float, sigma: float, random_state: np.random.RandomState) -> float:
    """Returns a number whose logarithm is normally distributed."""
    return float(np.exp(normal(mu, sigma, random_state)))


def qlognormal(mu: float, sigma: float, q: float, random_state: np.random.RandomState) -> float:
    """Returns a multiple of `q` near a number whose logarithm is normally distributed."""
    return _round(lognormal(mu, sigma, random_state), q)


def _round(number: float, q: float) -> float:
    return float(np.round(number / q) * q)


def _clip(number: float, low: float, high: float) -> float:
    return float(min(max(number, low), high))
