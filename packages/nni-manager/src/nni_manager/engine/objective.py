"""The number in a result that algorithms learn from and views rank by."""

from __future__ import annotations

import math
from typing import Any


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
