"""An algorithm without a process: it proposes numbers, or what the test says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from nni_manager.engine.effects import AssessorCall, RequestParameters, TellSearchSpace, TunerCall
from nni_manager.engine.events import ParametersProposed, ParametersRefused, TunerProcessed
from nni_manager.tuning.interface import (
    NO_HISTORY,
    AlgorithmError,
    AlgorithmSettings,
    Emit,
    History,
    HistoryEntry,
    RebuildWay,
    Rebuilt,
)


class SimulatedAlgorithm:
    """Proposes {"x": 0}, {"x": 1}, ... or a list of parameters until it is used up.

    Attributes:
        settings: What it was made with.
        history: What happened before it was made.
        told: Every call since, in order.
        closed: Whether it was ended.
        hears_intermediate_results: Whether it is to be told intermediate results.
    """

    hears_intermediate_results = False

    def __init__(
        self,
        settings: AlgorithmSettings,
        emit: Emit,
        proposals: Iterator[Any] | None = None,
        refuses_to_start: str = "",
        refuses_search_spaces: bool = False,
    ) -> None:
        """Makes an algorithm.

        Args:
            settings: What it is made with.
            emit: Gets its answers.
            proposals: What it proposes, None for numbers without end.
            refuses_to_start: Why it cannot be made, "" when it can.
            refuses_search_spaces: Whether it refuses to change its search space.
        """
        self.settings = settings
        self.history: list[HistoryEntry] = []
        self.told: list[TunerCall | AssessorCall] = []
        self.closed = False
        self._emit = emit
        self._proposals = ({"x": number} for number in range(10**9)) if proposals is None else proposals
        self._refuses_to_start = refuses_to_start
        self._refuses_search_spaces = refuses_search_spaces

    async def start(self, history: History = NO_HISTORY) -> Rebuilt | None:
        """Starts, or refuses to. What was proposed before is not proposed again."""
        if self._refuses_to_start:
            raise AlgorithmError(self._refuses_to_start)
        self.history = list(history.entries)
        for entry in self.history:
            if isinstance(entry, ParametersProposed):
                next(self._proposals, None)
        if history.last_closed_number:
            self._emit(TunerProcessed(history.last_closed_number, time.time()))
        for call in history.open_calls:
            self.tell(call)
        return Rebuilt(RebuildWay.TOLD) if self.history else None

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Answers in the next turn of the event loop."""
        self.told.append(call)
        asyncio.get_running_loop().call_soon(self._answer, call)

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Changes the search space, or refuses to."""
        if self._refuses_search_spaces:
            raise AlgorithmError("this tuner cannot change its search space")
        self.told.append(TellSearchSpace(number, search_space))

    async def close(self, grace_seconds: float = 5.0) -> None:
        """Ends."""
        self.closed = True

    def _answer(self, call: TunerCall | AssessorCall) -> None:
        number = getattr(call, "number", 0)
        if isinstance(call, RequestParameters):
            for parameter_id in call.parameter_ids:
                parameters = next(self._proposals, None)
                if parameters is None:
                    self._emit(ParametersRefused((parameter_id,), "no more"))
                else:
                    self._emit(ParametersProposed(parameter_id, parameters, time.time()))
        if number:
            self._emit(TunerProcessed(number, time.time()))
