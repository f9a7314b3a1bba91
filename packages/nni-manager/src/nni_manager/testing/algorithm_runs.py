"""Every built-in tuner, in every search space, for as many trials as are asked for."""

from __future__ import annotations

import math
import random
import time
from importlib.util import find_spec
from typing import Any, NamedTuple

from nni_manager.algorithms.optuna_bridge.samplers import SAMPLERS
from nni_manager.algorithms.registry import built_in_algorithms
from nni_manager.testing.search_spaces import FINITE, SPACES
from nni_manager.testing.tuner_marathon import Marathon, problems_among, problems_in

_POINTS = [None, 1, 1.5, "a", [1, 2], {"lr": 0.1}, {"_name": "x"}, *range(10, 2010)]
_ARGUMENTS: dict[str, dict[str, Any]] = {"PBT": {"population_size": 7}, "Hyperband": {"R": 27}}

SPACE_NAMES = (*SPACES, "finite")
"""The search spaces by their names."""


class Runner(NamedTuple):
    """A tuner with arguments.

    Attributes:
        tuner: Its name.
        arguments: Its arguments.
        needs_numpy_alone: Whether it is quick enough for thousands of trials in a test.
    """

    tuner: str
    arguments: dict[str, Any]
    needs_numpy_alone: bool


def _runners() -> dict[str, Runner]:
    found = {}
    for built_in in built_in_algorithms("tuner"):
        arguments = _ARGUMENTS.get(built_in.name, {})
        if built_in.name == "Optuna":
            for sampler, facts in SAMPLERS.items():
                if all(map(find_spec, facts.packages)):
                    found[f"Optuna {sampler}"] = Runner("Optuna", {"sampler": sampler}, False)
        else:
            found[built_in.name] = Runner(built_in.name, arguments, not built_in.packages)
    return found


RUNNERS = _runners()
"""All tuners, Optuna once with each sampler whose packages are installed."""


def run(name: str, space_name: str, trials: int, seed: int, seconds: float = math.inf) -> int:
    """Runs a tuner in a search space; Batch has a list of points in the place of each.

    Args:
        name: A name in RUNNERS.
        space_name: A name in SPACE_NAMES.
        trials: How many trials there are to be; there are fewer where the search space has no more.
        seed: Says what happens.
        seconds: How long it takes at most, but for a suggestion.

    Returns:
        How many trials there were.

    Raises:
        AssertionError: Parameters are not of the search space.
    """
    runner = RUNNERS[name]
    (built_in,) = (built_in for built_in in built_in_algorithms("tuner") if built_in.name == runner.tuner)
    tuner = built_in.load()(**built_in.fixed_arguments, **runner.arguments, seed=seed)
    space = SPACES.get(space_name, FINITE)
    problems = problems_in(space)
    if name == "Batch":
        space, problems = {"point": {"_type": "choice", "_value": _POINTS}}, problems_among(_POINTS)
    tuner.update_search_space(space)
    marathon = Marathon(tuner, random.Random(seed), problems)
    marathon.run(trials, time.monotonic() + seconds)
    return marathon.count
