"""The best trials: by one number, or the front of several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nni_client.data import TrialJob

_SIGNS = {"maximize": -1.0, "minimize": 1.0}


def check_objectives(objectives: Any) -> None:
    """Checks what is to be best.

    Raises:
        TypeError: It is no dict of names.
        ValueError: It is empty, or a direction is neither "maximize" nor "minimize".
    """
    if not isinstance(objectives, Mapping) or not all(isinstance(name, str) for name in objectives):
        raise TypeError(
            'objectives: a dict such as {"accuracy": "maximize", "latency": "minimize"} is needed'
        )
    if not objectives:
        raise ValueError("objectives: it is empty; at least one name is needed")
    for name, direction in objectives.items():
        if direction not in _SIGNS:
            raise ValueError(f'objectives: {name} is {direction!r}; allowed is "maximize" or "minimize"')


def front(trials: Sequence[TrialJob], objectives: Mapping[str, str]) -> list[TrialJob]:
    """Returns the trials that no other one is better than (the Pareto front), in the order given.

    A trial is better than another when it is at least as good in every objective and better in one. Trials of
    which a number is missing or NaN are not among them.

    Args:
        trials: The trials.
        objectives: The entries of the final result, each "maximize" or "minimize"; "default" is a result that
            is a number alone, too.
    """
    costs: list[tuple[tuple[float, ...], int]] = []
    for index, trial in enumerate(trials):
        numbers = [number_of(trial, name) for name in objectives]
        if trial.status == "SUCCEEDED" and not any(math.isnan(number) for number in numbers):
            signs = (_SIGNS[direction] for direction in objectives.values())
            costs.append((tuple(n * sign for n, sign in zip(numbers, signs, strict=True)), index))
    chosen: list[tuple[tuple[float, ...], int]] = []
    # In this order only an earlier one can be better, and one that is on the front stays there.
    for cost, index in sorted(costs):
        if not any(_is_better(other, cost) for other, _ in chosen):
            chosen.append((cost, index))
    return [trials[index] for index in sorted(index for _, index in chosen)]


def _is_better(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def number_of(trial: TrialJob, name: str) -> float:
    """Returns a trial's number for an objective, NaN when it has none."""
    value = trial.finalMetricData[0].data if trial.finalMetricData else None
    if isinstance(value, dict):
        value = value.get(name)
    elif name != "default":
        value = None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and value is not None else math.nan
