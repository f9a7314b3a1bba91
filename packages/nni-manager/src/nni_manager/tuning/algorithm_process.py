"""An algorithm in a process of its own, as the manager sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from asyncio.subprocess import Process
from typing import Any

from google.protobuf.message import DecodeError
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse

from nni_manager.engine.effects import AssessorCall, TellIntermediateResult, TellSearchSpace, TunerCall
from nni_manager.engine.events import AlgorithmFailed, TunerProcessed
from nni_manager.tuning.child import describe_exit, kill_session, last_lines, start_child
from nni_manager.tuning.framing import HEADER_SIZE, body_size, frame
from nni_manager.tuning.interface import AlgorithmError, AlgorithmEvent, AlgorithmSettings, Emit
from nni_manager.tuning.requests import initialize_request, request_of, terminate_request
from nni_manager.tuning.response_events import event_of

_logger = logging.getLogger(__name__)

_SECONDS_TO_EXIT = 5.0


class AlgorithmProcess:
    """A tuner or an assessor in a process of its own; see interface.py for the rules.

    Args:
        settings: Which algorithm, and with what.
        emit: Gets what it answers, in the event loop's thread.
    """

    def __init__(self, settings: AlgorithmSettings, emit: Emit) -> None:
        self._settings = settings
        self._emit = emit
        self._log_path = settings.log_directory / "dispatcher.log"
        self._log_offset = 0
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._life: asyncio.Task[None] | None = None
        self._last_number = 0
        self._call_numbers: dict[int, int] = {}
        self._waiters: dict[int, asyncio.Future[None]] = {}
        self._refusals: dict[int, str] = {}
        self._is_running = False
        self._failure: AlgorithmError | None = None

    async def start(self) -> None:
        """Makes the algorithm and gives it the search space, however long its own code takes.

        Raises:
            AlgorithmError: It cannot be made.
        """
        try:
            request = initialize_request(self._settings)
            self._settings.log_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                self._log_offset = self._log_path.stat().st_size
            self._process, connection = await start_child(self._settings, self._log_path)
        except (OSError, TypeError, ValueError) as error:
            raise AlgorithmError(f"the {self._settings.kind} cannot be started: {error}") from error
        reader, self._writer = await asyncio.open_unix_connection(sock=connection)
        self._life = asyncio.create_task(self._live(self._process, reader, self._writer))
        await self._ask(request)
        self._is_running = True

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Tells the algorithm something soon; nothing once it failed."""
        try:
            number = self._send(request_of(call))
        except ValueError as error:
            self._fail(f"it cannot be told something: {error}", "")
            return
        if self._settings.kind == "tuner" and not isinstance(call, TellIntermediateResult):
            self._call_numbers[number] = call.number

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Changes the search space, and returns once the algorithm has taken it.

        Raises:
            AlgorithmError: The algorithm cannot; it goes on with the old one.
        """
        try:
            request = request_of(TellSearchSpace(number, search_space))
        except (TypeError, ValueError) as error:
            self._tell_manager(TunerProcessed(number, time.time()))
            raise AlgorithmError(f"the search space cannot be told: {error}") from error
        await self._ask(request, number)

    async def close(self, grace_seconds: float = _SECONDS_TO_EXIT) -> None:
        """Ends the algorithm: asks, waits, kills. Emits nothing any more."""
        self._is_running = False
        if self._process is None or self._life is None:
            return
        self._send(terminate_request())
        done, _ = await asyncio.wait([self._life], timeout=grace_seconds)
        if not done:
            _logger.warning(
                "The %s did not end within %s s and is killed.", self._settings.kind, grace_seconds
            )
            kill_session(self._process)
        await self._life

    async def _ask(self, request: AlgorithmRequest, call_number: int | None = None) -> None:
        if self._failure is not None:
            raise self._failure
        number = self._send(request)
        if call_number is not None:
            self._call_numbers[number] = call_number
        self._waiters[number] = asyncio.get_running_loop().create_future()
        await self._waiters[number]

    def _send(self, request: AlgorithmRequest) -> int:
        self._last_number += 1
        request.number = self._last_number
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(request))
        return self._last_number

    async def _live(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Reads what the algorithm answers until its process has ended."""
        reading = asyncio.create_task(self._read(reader))
        exiting = asyncio.create_task(process.wait())
        try:
            await asyncio.wait([reading, exiting], return_when=asyncio.FIRST_COMPLETED)
            if not exiting.done():
                # It closed its end, so it is about to exit.
                await asyncio.wait([exiting], timeout=_SECONDS_TO_EXIT)
                kill_session(process)
            await exiting
            # A process that it left behind may hold its end open: what it sent itself is here already.
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").shutdown(socket.SHUT_RD)
            await reading
            kill_session(process)
            self._fail(describe_exit(exiting.result()), last_lines(self._log_path, self._log_offset))
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                header = await reader.readexactly(HEADER_SIZE)
                body = await reader.readexactly(body_size(header))
                self._take(AlgorithmResponse.FromString(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except (DecodeError, ValueError) as error:
            self._fail(f"it sent what is not the protocol: {error}", "")

    def _take(self, response: AlgorithmResponse) -> None:
        kind = response.WhichOneof("response")
        if kind == "failed":
            failed = response.failed
            # Without a traceback the algorithm's code is not to blame: the configuration does not fit it.
            text = f"the {self._settings.kind} failed: " if failed.traceback else f"{self._settings.kind}: "
            self._fail(failed.message, failed.traceback, text + failed.message)
        elif kind == "refused":
            self._refusals[response.refused.number] = response.refused.message
        elif kind == "processed":
            self._take_processed(response.processed.number)
        else:
            self._tell_manager(event_of(response))

    def _take_processed(self, number: int) -> None:
        call_number = self._call_numbers.pop(number, None)
        if call_number is not None:
            self._tell_manager(TunerProcessed(call_number, time.time()))
        waiter = self._waiters.pop(number, None)
        refusal = self._refusals.pop(number, None)
        if waiter is None or waiter.done():
            return
        if refusal is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(AlgorithmError(refusal))

    def _fail(self, message: str, traceback: str, text: str = "") -> None:
        """Notes the end of the algorithm, the first time only; `text` is for whoever waits for its start."""
        if self._failure is not None:
            return
        text = text or f"the {self._settings.kind} failed: {message}"
        self._failure = AlgorithmError(f"{text}\n{traceback}".rstrip())
        for waiter in self._waiters.values():
            if not waiter.done():
                waiter.set_exception(self._failure)
        self._waiters.clear()
        if self._is_running:
            self._is_running = False
            self._emit(AlgorithmFailed(self._settings.kind, message, traceback, time.time()))

    def _tell_manager(self, event: AlgorithmEvent) -> None:
        if self._is_running:
            self._emit(event)
