"""Which trial of which bracket is next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nni_manager.algorithms.successive_halving.bracket import Bracket, Parameters, Run
from nni_manager.algorithms.successive_halving.plan import BracketPlan


class Schedule:
    """Runs brackets, the first opened first; trials of later ones fill the gaps while a round is awaited.

    Args:
        plans: The brackets of one pass.
        eta: By how much each round divides the number of trials.
        serial: Whether a bracket is opened only when the one before is over.
        repeat: Whether another pass follows each pass.
    """

    def __init__(self, plans: Sequence[BracketPlan], eta: int, *, serial: bool, repeat: bool) -> None:
        self._plans = plans
        self._eta = eta
        self._serial = serial
        self._repeat = repeat
        self._open: list[Bracket] = []
        self._count = 0

    @property
    def is_complete(self) -> bool:
        """Whether all brackets are over, and no other follows."""
        return not (self._repeat or self._open) and self._count == len(self._plans)

    def next_run(self, draw: Callable[[Bracket], Parameters | None]) -> Run | None:
        """Starts and returns the next trial, None when there is none, at least for now.

        Args:
            draw: Returns new parameters for the first round of a bracket, None when there are no more.
        """
        return self._first(lambda bracket: bracket.next_run(draw))

    def restored_run(self, parameters: Parameters, budget: float, may_run_out: bool) -> Run | None:
        """Starts and returns a trial that an earlier instance started; None when it fits nowhere.

        Args:
            parameters: Its parameters.
            budget: Its budget.
            may_run_out: Whether new parameters can come to an end.
        """
        return self._first(lambda bracket: bracket.restored_run(parameters, budget, may_run_out))

    def end(self, run: Run) -> None:
        """Takes note that a trial has ended; its loss says how it did."""
        run.bracket.end_run()
        self._close()

    def change_space(self, fits: Callable[[Parameters], bool], ran_out: bool) -> None:
        """Goes on in another search space.

        Args:
            fits: Whether parameters are of the new search space; others are run no more.
            ran_out: Whether new parameters may have come to an end in the old search space.
        """
        for bracket in self._open:
            if ran_out:
                # Whether that was noticed depends on when it was asked for trials, which leaves no trace.
                bracket.begin_no_more()
            bracket.keep(fits)
        self._close()

    def _first(self, take: Callable[[Bracket], Run | None]) -> Run | None:
        for bracket in self._open:
            run = take(bracket)
            if run is not None:
                return run
        self._close()
        opened: list[Bracket] = []
        for plan in self._next_plans():
            opened.append(Bracket(self._count + len(opened), plan, self._eta))
            run = take(opened[-1])
            if run is not None:
                self._count += len(opened)
                self._open += opened
                self._close()
                return run
        return None

    def _next_plans(self) -> list[BracketPlan]:
        if self._serial and self._open:
            return []
        count = len(self._plans)
        left = count if self._repeat else count - self._count
        return [self._plans[(self._count + step) % count] for step in range(left)]

    def _close(self) -> None:
        self._open = [bracket for bracket in self._open if not bracket.is_over]
