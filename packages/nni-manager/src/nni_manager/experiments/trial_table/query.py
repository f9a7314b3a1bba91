"""Which trials are wanted."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from nni_manager.engine.statuses import TrialStatus

Position = list[Any]
"""What a trial was sorted by, and its number: with it the next page is found."""


@dataclass(frozen=True, slots=True)
class TrialQuery:
    """Which trials are wanted, in which order.

    Attributes:
        filter: What holds for them, in the language of filters; "" for all.
        order_by: The columns to sort by; "" to sort by number.
        statuses: Their statuses; empty for every one.
        trial_ids: Only these; None for all.
    """

    filter: str = ""
    order_by: str = ""
    statuses: Collection[TrialStatus] = ()
    trial_ids: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class StepRange:
    """Keeps the trials whose result of one index lies in a range.

    Attributes:
        index: The index of the result.
        low: The lowest value kept.
        high: The highest value kept.
    """

    index: int
    low: float = -math.inf
    high: float = math.inf
