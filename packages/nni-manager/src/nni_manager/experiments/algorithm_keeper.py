"""Keeps a tuner or an assessor alive: one whose process dies is made anew out of the record."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from nni_manager.engine.effects import AssessorCall, TellSearchSpace, TunerCall
from nni_manager.engine.events import AlgorithmFailed, Event, WarningRaised
from nni_manager.experiments.told_calls import ToldCalls
from nni_manager.tuning.interface import (
    NO_HISTORY,
    Algorithm,
    AlgorithmDeathError,
    AlgorithmDied,
    AlgorithmError,
    AlgorithmEvent,
    Emit,
    History,
    RebuildWay,
    Rebuilt,
)

_DEATHS_IN_A_ROW = 3

_LOG = logging.getLogger(__name__)


class KeptAlgorithm:
    """An algorithm that survives the death of its process.

    It keeps the rules of `Algorithm`, and what it emits is known to the engine: a death becomes WarningRaised
    once the algorithm is made anew, or AlgorithmFailed after three in a row without a call dealt with in
    between. An exception of the algorithm fails it at once. A slow one is left in peace.

    Args:
        make: Makes the algorithm, as for the first time. What it emits is passed on.
        read_history: Returns what happened up to now. Everything that this emitted before and every call it
            was told is to be in it, so the engine has to deal with what is queued first.
        emit: Gets the events, in the event loop's thread.
        kind: "tuner" or "assessor".
    """

    def __init__(
        self,
        make: Callable[[Emit], Algorithm],
        read_history: Callable[[], Awaitable[History]],
        emit: Callable[[Event], None],
        kind: str,
    ) -> None:
        self._make = make
        self._read_history = read_history
        self._emit = emit
        self._kind = kind
        self._algorithm: Algorithm | None = None
        self._lives = 0
        self._told = ToldCalls(kind)
        self._deaths = 0
        self._is_ready = False
        self._is_over = False
        self._failure: AlgorithmError | None = None
        self._settled = asyncio.Event()
        self._reading: asyncio.Future[History] | None = None
        self._restarting: asyncio.Task[None] | None = None

    @property
    def hears_intermediate_results(self) -> bool:
        """Whether it is a tuner that is to be told intermediate results; known once it was made."""
        return self._algorithm is not None and self._algorithm.hears_intermediate_results

    async def start(self, history: History = NO_HISTORY) -> Rebuilt | None:
        """Makes the algorithm, and makes it again if it dies meanwhile.

        Raises:
            AlgorithmError: It cannot be made, or died three times.
        """
        rebuilt = await self._build(history)
        if rebuilt is not None and rebuilt.way is RebuildWay.IMPORTED:
            self._emit(WarningRaised(f"the {self._kind} was made anew; {_how(rebuilt)}"))
        return rebuilt

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Tells the algorithm something soon, exactly once; nothing once it failed."""
        if self._algorithm is None or self._is_over:
            return
        for due in self._told.take(call, is_ready=self._is_ready):
            self._algorithm.tell(due)

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Changes the search space, and returns once the algorithm, or the next one if it dies, has taken it.

        Raises:
            AlgorithmError: The algorithm cannot; it goes on with the old one.
        """
        if not self._is_ready:
            self.tell(TellSearchSpace(number, search_space))
        while True:
            await self._settled.wait()
            if self._failure is not None:
                raise self._failure
            if self._algorithm is None or self._is_over:
                raise AlgorithmError(f"the {self._kind} has ended")
            try:
                return await self._algorithm.change_search_space(number, search_space)
            except AlgorithmDeathError:
                # The notice of the death comes in the same turn of the event loop at the latest.
                await asyncio.sleep(0)

    async def close(self, grace_seconds: float = 5.0) -> None:
        """Ends the algorithm, one that is being made included. Emits nothing any more."""
        self._is_over = True
        self._settled.set()
        if self._reading is not None:
            self._reading.cancel()
        if self._algorithm is not None:
            await self._algorithm.close(grace_seconds)
        if self._restarting is not None:
            await self._restarting

    async def _build(self, history: History | None) -> Rebuilt | None:
        """Makes the algorithm out of a history, or out of what the record has by then.

        Raises:
            AlgorithmError: It cannot be made, or it has died too often.
        """
        while True:
            known = history if history is not None else await self._read()
            if self._is_over:
                raise AlgorithmError(f"the {self._kind} was ended while it started")
            try:
                algorithm, rebuilt = await self._make_of(known)
            except AlgorithmDeathError as error:
                self._deaths += 1
                if self._deaths >= _DEATHS_IN_A_ROW:
                    raise self._too_many_deaths(error.message, error.traceback) from error
                _LOG.warning("The %s died while it was made: %s", self._kind, error.message)
                continue
            self._is_ready = True
            self._settled.set()
            for due in self._told.due():
                algorithm.tell(due)
            return rebuilt

    async def _make_of(self, history: History) -> tuple[Algorithm, Rebuilt | None]:
        self._lives += 1
        algorithm = self._algorithm = self._make(partial(self._take, self._lives))
        self._told.begin(history)
        try:
            entries = self._told.noting(history.entries)
            return algorithm, await algorithm.start(replace(history, entries=entries))
        except Exception:
            await algorithm.close(0)
            raise

    async def _read(self) -> History:
        """Reads the history; returns none at once when `close` is called meanwhile."""
        if self._is_over:
            return NO_HISTORY
        self._reading = asyncio.ensure_future(self._read_history())
        try:
            return await self._reading
        except asyncio.CancelledError:
            if not self._is_over:
                raise
            return NO_HISTORY
        finally:
            self._reading = None

    def _take(self, life: int, event: AlgorithmEvent) -> None:
        if self._is_over or life != self._lives:
            return
        if not isinstance(event, AlgorithmDied):
            self._emit(event)
            return
        self._is_ready = False
        self._settled.clear()
        self._deaths = 1 if event.has_worked else self._deaths + 1
        if self._deaths >= _DEATHS_IN_A_ROW:
            self._give_up(self._too_many_deaths(event.message, event.last_lines))
            return
        _LOG.warning("The %s died: %s. It is made anew.", self._kind, event.message)
        self._restarting = asyncio.create_task(self._restart(event), name=f"restart {self._kind}")

    async def _restart(self, death: AlgorithmDied) -> None:
        try:
            if self._algorithm is not None:
                await self._algorithm.close()
            rebuilt = await self._build(None)
        except AlgorithmError as error:
            self._give_up(error)
        except Exception as error:
            _LOG.exception("the %s cannot be made anew", self._kind)
            lines = "".join(traceback.format_exception(error))
            self._give_up(AlgorithmError(str(error), f"it cannot be made anew: {error}", lines))
        else:
            how = _how(rebuilt)
            self._emit(WarningRaised(f"the {self._kind} died ({death.cause}) and was restarted; {how}"))

    def _too_many_deaths(self, message: str, last_lines: str) -> AlgorithmError:
        text = f"it died {_DEATHS_IN_A_ROW} times in a row, the last time: {message}"
        return AlgorithmError(f"the {self._kind} failed: {text}\n{last_lines}".rstrip(), text, last_lines)

    def _give_up(self, failure: AlgorithmError) -> None:
        if self._is_over:
            return
        self._failure = failure
        self._is_over = True
        self._settled.set()
        self._emit(AlgorithmFailed(self._kind, failure.message, failure.traceback, time.time()))


def _how(rebuilt: Rebuilt | None) -> str:
    if rebuilt is None or rebuilt.way is not RebuildWay.IMPORTED:
        return "its history was replayed"
    return f"a replay of its history differed ({rebuilt.difference}), so that it imported the results instead"
