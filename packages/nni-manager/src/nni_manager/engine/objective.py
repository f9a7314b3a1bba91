"""The number in a result that algorithms learn from and views rank by."""

from __future__ import annotations

import math
from typing import Any, Literal


def objective_of(value: Any) -> float | None:
    """Returns the number of a result: the result itself, or its entry "default".

    Returns:
        The number, infinities included; None when there is none or it is NaN, so that NaN is never the best.
    """
    number = value.get("default") if isinstance(value, dict) else value
    if not isinstance(number, (int, float)):
        return None
    try:
        objective = float(number)
    except OverflowError:
        return None
    return None if math.isnan(objective) else objective


def with_result(results: tuple[float, float] | None, objective: float | None) -> tuple[float, float] | None:
    """Returns the lowest and the highest objective, one more counted; infinite ones count for none."""
    if objective is None or math.isinf(objective):
        return results
    if results is None:
        return objective, objective
    return min(results[0], objective), max(results[1], objective)


def result_of_failure(
    wanted: float | Literal["worst"] | None, optimize_mode: str, results: tuple[float, float] | None
) -> float | None:
    """Returns what the tuner is told as the result of a trial that failed without one, None for nothing.

    Args:
        wanted: A number, "worst" for the worst result so far, None for nothing.
        optimize_mode: "maximize" or "minimize".
        results: The lowest and the highest objective so far, None before the first.
    """
    if wanted != "worst":
        return wanted
    if results is None:
        return None
    return results[0] if optimize_mode == "maximize" else results[1]
