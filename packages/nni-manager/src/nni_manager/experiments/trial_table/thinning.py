"""Leaves out what a chart cannot show."""

from __future__ import annotations

import numpy as np

from nni_manager.experiments.trial_table.cells import Indexes, Numbers

_DIGITS = 8
_EXACT_POWERS = 22  # Doubles hold the powers of ten up to this one exactly.


def evenly_spaced(count: int, limit: int, kept: int | None = None) -> Indexes:
    """Returns up to `limit` of `count` places, evenly spaced, the first and the last among them.

    Args:
        count: How many there are.
        limit: How many are wanted, 1 or more.
        kept: A place that is returned in any case.
    """
    if count <= limit:
        return np.arange(count)
    places = np.unique(np.linspace(0, count - 1, limit).round().astype(np.intp))
    if kept is not None and kept not in places:
        nearest = int(np.argmin(np.abs(places - kept)))
        places[nearest] = kept
    return places


def thinned_curve(values: Numbers, limit: int) -> Indexes:
    """Returns the places of up to `limit` values that show the shape of all.

    The first and the last are kept, and the lowest and the highest of each of the stretches between them.

    Args:
        values: The values, in order. NaN is neither lowest nor highest unless a stretch has nothing else.
        limit: How many are wanted, 1 or more.
    """
    count = len(values)
    if count <= limit:
        return np.arange(count)
    if limit < 4:
        return evenly_spaced(count, limit)
    stretches = (limit - 2) // 2
    width = -(-(count - 2) // stretches)
    inner = np.full(stretches * width, np.nan)
    inner[: count - 2] = values[1:-1]
    by_stretch = inner.reshape(stretches, width)
    is_nan = np.isnan(by_stretch)
    starts = np.arange(stretches) * width + 1
    lowest = starts + np.argmin(np.where(is_nan, np.inf, by_stretch), axis=1)
    highest = starts + np.argmax(np.where(is_nan, -np.inf, by_stretch), axis=1)
    places = np.unique(np.concatenate([[0], lowest, highest, [count - 1]]))
    return places[places < count]


def rounded(numbers: Numbers) -> Numbers:
    """Returns numbers rounded to eight significant digits, which are shorter as text; whole ones stay."""
    short = numbers.copy()
    broken = np.isfinite(numbers) & (numbers != np.round(numbers))
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.maximum(_DIGITS - 1 - np.floor(np.log10(np.abs(numbers))), 0)
    usual = broken & (places <= _EXACT_POWERS)
    powers = 10.0 ** places[usual]
    short[usual] = np.round(numbers[usual] * powers) / powers
    tiny = broken & ~usual
    short[tiny] = [float(f"{number:.{_DIGITS}g}") for number in numbers[tiny]]
    return short
