"""Random values of each `_type`.

The last argument of every function is a numpy RandomState. Values are rounded to a multiple of q with ties
to the even one. Numbers are Python's; where bounds, mu or sigma are lists, an array of as many is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def choice(options: Sequence[Any] | int, random_state: np.random.RandomState) -> Any:
    """Returns one of the options as it is; of an int, one of the integers from 0 up to but without it.

    Raises:
        ValueError: There are no options.
    """
    if isinstance(options, int):
        options = range(options)
    if len(options) == 0:
        raise ValueError("options is empty; allowed is one option or more")
    return options[random_state.randint(len(options))]


def randint(lower: int, upper: int, random_state: np.random.RandomState) -> Any:
    """Returns an integer from `lower` up to but without `upper`."""
    return _python(random_state.randint(lower, upper))


def uniform(low: float, high: float, random_state: np.random.RandomState) -> Any:
    """Returns a number between `low` and `high`."""
    assert high >= low, "Upper bound must be larger than lower bound"
    return _python(random_state.uniform(low, high))


def quniform(low: float, high: float, q: float, random_state: np.random.RandomState) -> Any:
    """Returns a multiple of `q`, kept between `low` and `high`."""
    return _clip(_round(uniform(low, high, random_state), q), low, high)


def loguniform(low: float, high: float, random_state: np.random.RandomState) -> Any:
    """Returns a number between `low` and `high` whose logarithm is uniform."""
    assert low > 0, "Lower bound must be positive"
    return _clip(np.exp(uniform(float(np.log(low)), float(np.log(high)), random_state)), low, high)


def qloguniform(low: float, high: float, q: float, random_state: np.random.RandomState) -> Any:
    """Returns a multiple of `q` near a number whose logarithm is uniform, kept between `low` and `high`."""
    return _clip(_round(loguniform(low, high, random_state), q), low, high)


def normal(mu: Any, sigma: Any, random_state: np.random.RandomState) -> Any:
    """Returns a normally distributed number."""
    return _python(random_state.normal(mu, sigma))


def qnormal(mu: Any, sigma: Any, q: float, random_state: np.random.RandomState) -> Any:
    """Returns a multiple of `q` near a normally distributed number."""
    return _round(normal(mu, sigma, random_state), q)


def lognormal(mu: Any, sigma: Any, random_state: np.random.RandomState) -> Any:
    """Returns a number whose logarithm is normally distributed."""
    return _python(np.exp(normal(mu, sigma, random_state)))


def qlognormal(mu: Any, sigma: Any, q: float, random_state: np.random.RandomState) -> Any:
    """Returns a multiple of `q` near a number whose logarithm is normally distributed."""
    return _round(lognormal(mu, sigma, random_state), q)


def _round(number: Any, q: float) -> Any:
    return _python(np.round(number / q) * q)


def _clip(number: Any, low: float, high: float) -> Any:
    return _python(np.clip(number, low, high))


def _python(number: Any) -> Any:
    return number.item() if isinstance(number, np.generic) else number
