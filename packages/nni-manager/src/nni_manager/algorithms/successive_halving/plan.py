"""The table of brackets: how many trials each round has, and with what budget."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUNDING = 1e-6


@dataclass(frozen=True)
class BracketPlan:
    """What one bracket is to run.

    Attributes:
        sizes: How many trials each round has.
        budgets: The budget of the trials of each round.
    """

    sizes: tuple[int, ...]
    budgets: tuple[int, ...]

    @property
    def trial_count(self) -> int:
        """How many trials it has in all."""
        return sum(self.sizes)


def bracket_plans(max_budget: int, eta: int, min_budget: int = 1) -> tuple[BracketPlan, ...]:
    """Returns the brackets of one pass, that with the most rounds first.

    Li et al., "Hyperband", 2016, algorithm 1: with R the largest budget, bracket s = s_max, ..., 0 begins
    with n = ceil((s_max + 1) eta^s / (s + 1)) trials of budget R / eta^s, and round i has floor(n / eta^i)
    of budget R / eta^(s - i). Budgets are rounded down.

    Args:
        max_budget: R.
        eta: By how much each round divides the number of trials.
        min_budget: No trial has a smaller budget.

    Raises:
        ValueError: There can be no brackets with these.
    """
    if min_budget < 1 or max_budget < min_budget:
        raise ValueError(f"the largest budget is {max_budget}; it should be at least {max(min_budget, 1)}")
    if eta < 2:
        raise ValueError(f"eta is {eta}; it should be at least 2")
    last = math.floor(math.log(max_budget / min_budget, eta) + _ROUNDING)
    return tuple(_plan(max_budget, eta, s, last) for s in range(last, -1, -1))


def _plan(max_budget: int, eta: int, s: int, last: int) -> BracketPlan:
    count = math.ceil((last + 1) * eta**s / (s + 1) - _ROUNDING)
    return BracketPlan(
        sizes=tuple(count // eta**rung for rung in range(s + 1)),
        budgets=tuple(math.floor(max_budget / eta ** (s - rung) + _ROUNDING) for rung in range(s + 1)),
    )
