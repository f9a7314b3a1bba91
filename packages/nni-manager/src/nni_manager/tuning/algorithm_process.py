"""An algorithm in a process of its own, as the manager sees it."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken, InitializeAlgorithm

from nni_manager.engine.effects import AssessorCall, TellSearchSpace, TunerCall
from nni_manager.engine.events import AlgorithmFailed, TunerProcessed
from nni_manager.tuning.connection import connect
from nni_manager.tuning.conversation import SECONDS_TO_EXIT, Connect, Conversation, Ending
from nni_manager.tuning.history_frames import next_piece
from nni_manager.tuning.interface import (
    NO_HISTORY,
    AlgorithmDeathError,
    AlgorithmDied,
    AlgorithmError,
    AlgorithmEvent,
    AlgorithmSettings,
    Emit,
    History,
    RebuildWay,
    Rebuilt,
)
from nni_manager.tuning.requests import history_ends_request, initialize_request, request_of
from nni_manager.tuning.response_events import event_of
from nni_manager.tuning.space_changes import SpaceChanges

_logger = logging.getLogger(__name__)

_WAYS = {
    HistoryTaken.WAY_TOLD: RebuildWay.TOLD,
    HistoryTaken.WAY_REPLAYED: RebuildWay.REPLAYED,
    HistoryTaken.WAY_IMPORTED: RebuildWay.IMPORTED,
}


class AlgorithmProcess:
    """A tuner or an assessor in a process of its own; see interface.py for the rules.

    Args:
        settings: Which algorithm, and with what.
        emit: Gets what it answers, in the event loop's thread.
        connect_to: Makes each life of it; None for a process of our own.
    """

    def __init__(self, settings: AlgorithmSettings, emit: Emit, connect_to: Connect | None = None) -> None:
        self._settings = settings
        self._emit = emit
        self._connect = connect_to or connect
        self._connecting: asyncio.Future[Conversation] | None = None
        self._connection: Conversation | None = None
        self._call_numbers: dict[int, int] = {}
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._space_changes = SpaceChanges()
        self._history_taken: HistoryTaken | None = None
        self._early_events: list[AlgorithmEvent] = []
        self._is_running = False
        self._is_closed = False
        self._has_worked = False
        self._hears_intermediate_results = False
        self._failure: AlgorithmError | None = None

    @property
    def pid(self) -> int | None:
        """The process that is its present life, None before there is one, and when it is not ours."""
        return None if self._connection is None else self._connection.pid

    @property
    def hears_intermediate_results(self) -> bool:
        """Whether it is a tuner that is to be told intermediate results; known once `start` has returned."""
        return self._hears_intermediate_results

    async def start(self, history: History = NO_HISTORY) -> Rebuilt | None:
        """Makes the algorithm, gives it the search space and its history, however long its own code takes.

        Raises:
            AlgorithmError: It cannot be made.
            AlgorithmDeathError: Its process died meanwhile.
        """
        self._is_closed = False
        rebuilt: Rebuilt | None = None
        if history.entries == ():
            await self._make(InitializeAlgorithm.HISTORY_USE_UNSPECIFIED, self._settings)
        else:
            rebuilt = await self._rebuild(history)
        if self._failure is not None:
            raise self._failure
        self._is_running = True
        if self._settings.kind == "tuner" and history.last_closed_number:
            self._tell_manager(TunerProcessed(history.last_closed_number, time.time()))
        for event in self._early_events:
            self._tell_manager(event)
        self._early_events.clear()
        for call in history.open_calls:
            self.tell(call)
        return rebuilt

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Tells the algorithm something soon; nothing once it failed."""
        if self._connection is None or self._failure is not None:
            return
        try:
            number = self._connection.send(request_of(call))
        except ValueError as error:
            if not isinstance(call, TellSearchSpace):
                self._fail(AlgorithmError(*self._texts(f"it cannot be told something: {error}", "")))
                return
            self._space_changes.answer(call.number, f"the search space cannot be told: {error}")
            self._tell_manager(TunerProcessed(call.number, time.time()))
            return
        if isinstance(call, TellSearchSpace):
            self._space_changes.told(number, call.number)
        if self._settings.kind == "tuner":
            self._call_numbers[number] = getattr(call, "number", 0)

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Changes the search space, and returns once the algorithm has taken it.

        Raises:
            AlgorithmError: The algorithm cannot; it goes on with the old one.
            AlgorithmDeathError: Its process died meanwhile.
        """
        if self._connection is None:
            raise AlgorithmError(f"the {self._settings.kind} was not started")
        if self._failure is not None:
            raise self._failure
        if number not in self._space_changes:
            self.tell(TellSearchSpace(number, search_space))
        refusal = await self._space_changes.wait(number)
        if self._failure is not None and refusal is None:
            raise self._failure
        if refusal:
            raise AlgorithmError(refusal)

    async def close(self, grace_seconds: float = SECONDS_TO_EXIT) -> None:
        """Ends the algorithm: asks, waits, kills. Emits nothing any more."""
        self._is_running = False
        self._is_closed = True
        if self._connecting is not None and self._settings.endpoint is not None:
            self._connecting.cancel()
        if self._connection is not None:
            await self._connection.close(grace_seconds)

    async def _rebuild(self, history: History) -> Rebuilt:
        taken = await self._tell_history(history, InitializeAlgorithm.HISTORY_USE_REPLAY)
        if not self._is_differed:
            return Rebuilt(_WAYS[taken.way])
        difference = taken.message
        _logger.warning("The replay of the %s differed: %s", self._settings.kind, difference)
        assert self._connection is not None
        await self._connection.close()
        taken = await self._tell_history(history, InitializeAlgorithm.HISTORY_USE_IMPORT)
        return Rebuilt(_WAYS[taken.way], difference)

    async def _tell_history(
        self, history: History, use: InitializeAlgorithm.HistoryUse.ValueType
    ) -> HistoryTaken:
        """Makes a process, passes the history on as fast as it is taken, and returns how it went."""
        self._history_taken = None
        self._space_changes = SpaceChanges()
        settings = self._settings
        if history.first_search_space is not None:
            settings = replace(settings, search_space=history.first_search_space)
        connection = await self._make(use, settings)
        entries = iter(history.entries)
        # In a thread: the entries may be read from the record, and making messages takes its time.
        while (piece := await asyncio.to_thread(next_piece, entries, connection.last_number)) is not None:
            self._space_changes.told_before(piece)
            if not await connection.send_all(piece.messages) or self._history_taken is not None:
                break
        if self._history_taken is None:
            await self._ask(history_ends_request())
        assert self._history_taken is not None
        self._space_changes.taken_all()
        refusal = self._space_changes.answer_to(0)
        if refusal and not self._is_differed:
            raise AlgorithmError(f"the {settings.kind} cannot change its search space: {refusal}")
        return self._history_taken

    async def _make(
        self, use: InitializeAlgorithm.HistoryUse.ValueType, settings: AlgorithmSettings
    ) -> Conversation:
        kind = settings.kind
        try:
            request = initialize_request(settings, use)
            connection = await self._connected(settings)
        except (OSError, TypeError, ValueError) as error:
            raise AlgorithmError(f"the {kind} cannot be started: {error}", str(error)) from error
        self._connection = connection
        if self._is_closed:
            await connection.close(0)
            raise AlgorithmError(f"the {kind} was ended while it started")
        await self._ask(request)
        return connection

    async def _connected(self, settings: AlgorithmSettings) -> Conversation:
        """Makes a life of the algorithm; gives up when `close` is called meanwhile."""
        connecting = self._connecting = asyncio.ensure_future(
            self._connect(settings, self._take, self._ended)
        )
        try:
            return await connecting
        except asyncio.CancelledError:
            if self._is_closed and connecting.cancelled():
                raise AlgorithmError(f"the {settings.kind} was ended while it started") from None
            connecting.cancel()
            raise
        finally:
            self._connecting = None

    async def _ask(self, request: AlgorithmRequest) -> None:
        if self._failure is not None:
            raise self._failure
        assert self._connection is not None
        number = self._connection.send(request)
        self._waiters[number] = asyncio.get_running_loop().create_future()
        await self._waiters[number]

    def _take(self, response: AlgorithmResponse) -> None:
        kind = response.WhichOneof("response")
        if kind == "failed":
            self._finish()
            failed = response.failed
            # Without a traceback the algorithm's code is not to blame: the configuration does not fit it.
            text, message, traceback = self._texts(failed.message, failed.traceback)
            if not traceback:
                text = f"{self._settings.kind}: {message}"
            self._fail(AlgorithmError(text, message, traceback))
        elif kind == "refused":
            self._space_changes.refused(response.refused.number, response.refused.message)
        elif kind == "processed":
            self._hears_intermediate_results |= response.processed.hears_intermediate_results
            self._take_processed(response.processed.number)
        elif kind == "history_taken":
            self._history_taken = response.history_taken
            if self._is_differed:
                self._finish()
            self._release_waiters()
        else:
            self._tell_manager(event_of(response, self._settings.kind))

    def _take_processed(self, number: int) -> None:
        self._has_worked = self._is_running
        self._space_changes.taken(number)
        call_number = self._call_numbers.pop(number, None)
        if call_number is not None:
            self._tell_manager(TunerProcessed(call_number, time.time()))
        waiter = self._waiters.pop(number, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _ended(self, ending: Ending) -> None:
        if self._is_differed:
            return
        texts = self._texts(ending.message, ending.last_lines)
        self._fail(AlgorithmDeathError(*texts, ending.cause) if ending.cause else AlgorithmError(*texts))

    def _finish(self) -> None:
        if self._connection is not None:
            self._connection.finish()

    @property
    def _is_differed(self) -> bool:
        return self._history_taken is not None and self._history_taken.way == HistoryTaken.WAY_DIFFERED

    def _texts(self, message: str, traceback: str) -> tuple[str, str, str]:
        """Returns a failure in full, in a line, and what explains it."""
        return f"the {self._settings.kind} failed: {message}\n{traceback}".rstrip(), message, traceback

    def _fail(self, failure: AlgorithmError) -> None:
        """Notes the end of the algorithm, the first time only."""
        if self._failure is not None:
            return
        self._failure = failure
        self._release_waiters(failure)
        self._space_changes.give_up()
        if not self._is_running:
            return
        self._is_running = False
        kind, message, traceback, at = self._settings.kind, failure.message, failure.traceback, time.time()
        if isinstance(failure, AlgorithmDeathError):
            self._emit(AlgorithmDied(kind, failure.cause, message, traceback, self._has_worked, at))
        else:
            self._emit(AlgorithmFailed(kind, message, traceback, at))

    def _release_waiters(self, failure: AlgorithmError | None = None) -> None:
        for waiter in self._waiters.values():
            if waiter.done():
                continue
            if failure is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(failure)
        self._waiters.clear()

    def _tell_manager(self, event: AlgorithmEvent) -> None:
        if self._is_running:
            self._emit(event)
        elif self._history_taken is not None and not self._is_closed:
            # It goes on already, and `start` is about to see that.
            self._early_events.append(event)
