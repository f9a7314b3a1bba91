"""One bracket: its rounds one after the other, the best of each going on to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nni_manager.algorithms.hpo_utils.deduplicator import parameters_name
from nni_manager.algorithms.successive_halving.plan import BracketPlan

Parameters = dict[str, Any]


@dataclass(slots=True, eq=False)
class Run:
    """One trial of a bracket.

    Attributes:
        bracket: Its bracket.
        budget: Its budget.
        parameters: What it runs with, its budget left out.
        final_loss: Its final result as a loss, None while there is none.
        latest_loss: Its latest intermediate result as a loss.
        latest_index: The index of that.
        loss: What it is ranked by once it has ended; None ranks behind all others and does not go on.
        fits: Whether its parameters are of the search space as it is now.
    """

    bracket: Bracket
    budget: int
    parameters: Parameters
    final_loss: float | None = None
    latest_loss: float | None = None
    latest_index: int = -1
    loss: float | None = None
    fits: bool = True


class Bracket:
    """Runs its rounds. A round is complete when all its trials have ended, in whatever way.

    Args:
        number: Its number in the experiment, from 0.
        plan: What it is to run.
        eta: By how much each round divides the number of trials.

    Attributes:
        number: Its number in the experiment, from 0.
        is_over: Whether there is nothing left to run or to wait for.
    """

    def __init__(self, number: int, plan: BracketPlan, eta: int) -> None:
        self.number = number
        self.is_over = False
        self._budgets = plan.budgets
        self._sizes = plan.sizes
        self._eta = eta
        self._rung = 0
        self._size = plan.sizes[0]
        self._queue: deque[Parameters] = deque()
        self._runs: list[Run] = []
        self._running_count = 0

    @property
    def budget(self) -> int:
        """The budget of the present round."""
        return self._budgets[self._rung]

    @property
    def run_count(self) -> int:
        """How many trials of the present round were started."""
        return len(self._runs)

    def next_run(self, draw: Callable[[Bracket], Parameters | None]) -> Run | None:
        """Starts and returns the next trial, None when there is none for now.

        Args:
            draw: Returns new parameters for the first round, None when there are no more.
        """
        if self._queue:
            return self._start(self._queue.popleft())
        if not self._wants_new:
            return None
        parameters = draw(self)
        if parameters is not None:
            return self._start(parameters)
        self.begin_no_more()
        return self.next_run(draw)

    def restored_run(self, parameters: Parameters, budget: float, may_run_out: bool) -> Run | None:
        """Starts and returns a trial that an earlier instance started; None when it is not this bracket's.

        Args:
            parameters: Its parameters.
            budget: Its budget.
            may_run_out: Whether the first round may have ended early, since there were no new parameters.
        """
        if self._queue:
            is_next = budget == self.budget and parameters_name(self._queue[0]) == parameters_name(parameters)
            return self._start(self._queue.popleft()) if is_next else None
        if not self._wants_new:
            return None
        if budget == self.budget:
            return self._start(parameters)
        if not may_run_out:
            return None
        self.begin_no_more()
        return self.restored_run(parameters, budget, may_run_out)

    def end_run(self) -> None:
        """Takes note that a trial has ended; its loss says how it did."""
        self._running_count -= 1
        self._advance()

    def begin_no_more(self) -> None:
        """Makes do with the trials of the first round that there are; the later rounds shrink with it."""
        if self._wants_new:
            self._size = len(self._runs)
            self._sizes = tuple(self._size // self._eta**rung for rung in range(len(self._sizes)))
            self._advance()

    def keep(self, fits: Callable[[Parameters], bool]) -> None:
        """Lets only trials go on whose parameters fit."""
        for run in self._runs:
            run.fits = fits(run.parameters)
        kept = deque(filter(fits, self._queue))
        self._size -= len(self._queue) - len(kept)
        self._queue = kept
        self._advance()

    @property
    def _wants_new(self) -> bool:
        return not self.is_over and self._rung == 0 and len(self._runs) < self._size

    def _start(self, parameters: Parameters) -> Run:
        run = Run(self, self.budget, parameters)
        self._runs.append(run)
        self._running_count += 1
        return run

    def _advance(self) -> None:
        """Begins the next round when the present one is complete."""
        if self.is_over or self._running_count or len(self._runs) < self._size:
            return
        self._rung += 1
        ranked = sorted(
            (run.loss, place) for place, run in enumerate(self._runs) if run.fits and run.loss is not None
        )
        size = self._sizes[self._rung] if self._rung < len(self._sizes) else 0
        best = [self._runs[place].parameters for _, place in ranked[:size]]
        self._runs = []
        self._queue = deque(best)
        self._size = len(best)
        self.is_over = not best
