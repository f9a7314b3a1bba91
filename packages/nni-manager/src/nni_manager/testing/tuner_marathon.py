"""Thousands of trials to which everything happens that may, in a random order."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable
from typing import Any

from nni_manager.algorithms.tuner import Tuner
from nni_manager.engine.statuses import TrialStatus
from nni_manager.testing.search_spaces import parameter_problems, without_added
from nni_manager.testing.tuner_story import TunerStory

_AT_ONCE = 8
_REMEMBERED = 20
_FAILED = (TrialStatus.FAILED, TrialStatus.USER_CANCELED, TrialStatus.EARLY_STOPPED, TrialStatus.SUCCEEDED)
_ODD_VALUES: tuple[Any, ...] = (
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    10**400,
    True,
    None,
    "text",
    {},
    {"default": "x"},
    [1.0],
)

Problems = Callable[[Any], list[str]]
"""Says what is wrong with the parameters of a trial."""


class Marathon:
    """A tuner, and trials that end in any order and in any way.

    Args:
        tuner: It has its search space.
        rng: Says what happens.
        problems: Says what is wrong with proposed parameters.

    Attributes:
        count: How many parameters were proposed.
    """

    def __init__(self, tuner: Tuner, rng: random.Random, problems: Problems) -> None:
        self.count = 0
        self._story = TunerStory(tuner)
        self._rng = rng
        self._problems = problems
        self._next_id = 0
        self._ended: list[tuple[int, Any]] = []
        self._checked_count = 0

    def run(self, trials: int, deadline: float = math.inf) -> None:
        """Goes on until so many trials were proposed, or until there are no more.

        Args:
            trials: How many.
            deadline: When it ends in any case, by time.monotonic().

        Raises:
            AssertionError: Parameters are not of the search space; the text says what is wrong with which.
        """
        while self.count < trials and time.monotonic() < deadline:
            has_more = self._step()
            self._check()
            if not has_more:
                return

    def _step(self) -> bool:
        """Lets one thing happen; returns False when there is nothing more to come."""
        rng, story = self._rng, self._story
        what = rng.random()
        if not story.running or (what < 0.45 and len(story.running) < _AT_ONCE):
            proposed = story.ask(self._next_id)
            self._next_id += 1
            return proposed is not None or bool(story.running)
        parameter_id = rng.choice(list(story.running))
        parameters = story.running[parameter_id]
        if what < 0.85:
            self._remember(parameter_id, parameters)
            story.finish(parameter_id, self._value())
        elif what < 0.9:
            self._remember(parameter_id, parameters)
            story.end(parameter_id, rng.choice(_FAILED))
        elif what < 0.92:
            story.report(parameter_id, parameters, self._value())  # The next one is a second result.
        elif what < 0.94:
            story.report_intermediate(parameter_id, self._value())
        elif what < 0.97:
            self._report_of_no_trial()
        else:
            self._report_of_others()
        return True

    def _report_of_no_trial(self) -> None:
        if self._ended and self._rng.random() < 0.7:
            parameter_id, parameters = self._rng.choice(self._ended)
        else:
            parameter_id, parameters = 10**6 + self._next_id, self._odd_parameters()
        self._story.report(parameter_id, parameters, self._value())
        self._story.end(parameter_id)

    def _report_of_others(self) -> None:
        known = [parameters for _, parameters in self._ended[-2:]]
        own = [*known, self._odd_parameters()]
        if self._rng.random() < 0.7:
            self._story.report(None, self._rng.choice(own), self._value())
            self._story.end(None)
        else:
            self._story.take_over([{"parameter": parameters, "value": self._value()} for parameters in own])

    def _odd_parameters(self) -> Any:
        """Returns parameters of which some are missing, or some that no search space has."""
        _, parameters = self._ended[-1] if self._ended else (None, None)
        if isinstance(parameters, dict) and self._rng.random() < 0.5:
            return {name: value for name, value in parameters.items() if self._rng.random() < 0.7}
        return self._rng.choice([{}, None, "text", {"unknown": 1}, [1, 2]])

    def _value(self) -> Any:
        if self._rng.random() < 0.1:
            return self._rng.choice(_ODD_VALUES)
        number = self._rng.gauss(0.0, 10.0 ** self._rng.uniform(-3, 3))
        return {"default": number, "text": "x"} if self._rng.random() < 0.1 else number

    def _remember(self, parameter_id: int, parameters: Any) -> None:
        self._ended = [*self._ended[-_REMEMBERED:], (parameter_id, parameters)]

    def _check(self) -> None:
        for parameters in self._story.proposals:
            if parameters is not None:
                assert self._problems(parameters) == []
                assert json.loads(json.dumps(parameters, allow_nan=False)) == parameters
                self.count += 1
        self._story.proposals.clear()


def problems_in(space: dict[str, Any]) -> Problems:
    """Returns what says what is wrong with parameters of a search space."""
    return lambda parameters: parameter_problems(without_added(parameters), space)


def problems_among(points: list[Any]) -> Problems:
    """Returns what says whether parameters are one of these points (Batch)."""

    def problems(parameters: Any) -> list[str]:
        is_one = any(type(parameters) is type(point) and parameters == point for point in points)
        return [] if is_one else [f"{parameters!r} is none of the points"]

    return problems
