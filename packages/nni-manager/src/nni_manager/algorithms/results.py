"""The number in a trial's result, and which way it is better."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any


class OptimizeMode(Enum):
    """Whether a larger or a smaller result is better."""

    Minimize = "minimize"
    Maximize = "maximize"


class MetricType:
    """The kinds of reports of a trial."""

    FINAL = "FINAL"
    PERIODICAL = "PERIODICAL"
    REQUEST_PARAMETER = "REQUEST_PARAMETER"


def extract_scalar_reward(value: Any, scalar_key: str = "default") -> float:
    """Returns the number in a result.

    Args:
        value: A number, or a dict that has one under `scalar_key`. True and False count as 1 and 0.
        scalar_key: The key of the number in a dict.

    Raises:
        RuntimeError: There is no number.
    """
    number = value.get(scalar_key) if isinstance(value, dict) else value
    if isinstance(number, (int, float)):
        return number
    raise RuntimeError(
        f"Incorrect final result: {value!r}; "
        f"it should be a number, or a dict with a number under {scalar_key!r}"
    )


def extract_scalar_history(trial_history: list[Any], scalar_key: str = "default") -> list[float]:
    """Returns the numbers in results, see `extract_scalar_reward`."""
    return [extract_scalar_reward(value, scalar_key) for value in trial_history]


def loss_of(value: Any, mode: OptimizeMode) -> float:
    """Returns a result as a loss: the smaller the better, NaN being the worst of all.

    Args:
        value: What `extract_scalar_reward` takes.
        mode: Which way the result is better.

    Raises:
        RuntimeError: There is no number.
    """
    number = extract_scalar_reward(value)
    try:
        number = float(number)
    except OverflowError:
        number = math.inf if number > 0 else -math.inf
    if math.isnan(number):
        return math.inf
    return -number if mode is OptimizeMode.Maximize else number


def number_in(value: Any) -> float | None:
    """Returns the number in a result, None if there is none or it is NaN."""
    try:
        number = float(extract_scalar_reward(value))
    except RuntimeError:
        return None
    except OverflowError:
        return math.inf if extract_scalar_reward(value) > 0 else -math.inf
    return None if math.isnan(number) else number
