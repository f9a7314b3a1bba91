"""Speaks with a courier, and replaces one that dies, wherever it runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from nni_manager.engine.events import TrainingServiceFailed
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import Emit, TrainingServiceError

logger = logging.getLogger(__name__)

READY_SECONDS = 60.0
"""How long a courier may take to say that it works."""

MAX_DEATHS = 5
"""How many couriers may die one after another, none of which did anything, before we give up."""

LASTING_SECONDS = 30.0
"""A courier that lived as long worked, though no trial had anything to say."""

END_SECONDS = 5.0
"""How long a courier may take to end, when no process is to be stopped before."""

_CANCEL_AGAIN_SECONDS = 0.1
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


CLEAN_END = "exit code 0"
"""What a courier's end begins with, in words, that was as it should be."""

CONNECTION_LOST = "connection lost"
"""What the end begins with of a courier that cannot be reached any more: that is no death of one."""


class CourierProcess(Protocol):
    """A running courier's standard input and output."""

    async def read(self) -> bytes:
        """Returns what it wrote since, b"" when it has ended."""

    def write(self, data: bytes) -> None:
        """Sends to it; what a dead one would get is lost."""

    async def stop(self, patience: float) -> str:
        """Waits until it has ended, kills it after so many seconds, and returns how it ended, in words.

        They begin with CLEAN_END if it ended by itself as it should, with CONNECTION_LOST if nobody knows.
        """


OpenCourier = Callable[[], Awaitable[CourierProcess]]


class _CourierDiedError(TrainingServiceError):
    """A courier ended before it said that it works."""


@dataclass
class _Watched:
    """A trial whose end was not told yet.

    Attributes:
        launch: The command that starts it, until it has started.
        position: The position in its report file up to which results were emitted.
        cancel: The command that stops it, once that was asked for.
        started: Whether its start was emitted.
        abandoned: Its end was told already, so that it is only to be stopped; called when it is.
    """

    launch: bytes | None
    position: int = 0
    cancel: bytes | None = None
    started: bool = False
    abandoned: Callable[[], None] | None = None


class CourierConnection:
    """Keeps a courier running and the trials known to it."""

    def __init__(self, open_courier: OpenCourier, emit: Emit) -> None:
        """Makes a connection that is not open yet.

        Args:
            open_courier: Starts a courier.
            emit: Gets the events.
        """
        self._open_courier = open_courier
        self._emit = emit
        self._process: CourierProcess | None = None
        self._unfinished = b""
        self._trials: dict[tuple[str, int], _Watched] = {}
        self._deaths = 0
        self._released = False
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Starts the first courier, again if it dies.

        Raises:
            TrainingServiceError: It does not work.
        """
        try:
            process = await self._open_first()
        except (OSError, TrainingServiceError) as error:
            raise TrainingServiceError(
                f"the courier, which runs the trials, cannot be started: {error}"
            ) from error
        self._process = process
        self._task = asyncio.create_task(self._serve(process), name="courier connection")
        self._task.add_done_callback(self._on_served)

    def launch(self, trial_id: str, attempt: int, command: bytes) -> None:
        """Starts a trial, by a LaunchTrial command."""
        if (trial_id, attempt) not in self._trials:
            self._trials[trial_id, attempt] = _Watched(launch=command)
            self._released = False
            self._send(command)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial that was started before."""
        if (trial_id, attempt) not in self._trials:
            self._trials[trial_id, attempt] = _Watched(launch=None, position=acknowledged_offset)
            self._send(messages.adopt(trial_id, attempt, acknowledged_offset))

    def cancel(self, trial_id: str, attempt: int, signal: int, grace_seconds: float) -> None:
        """Stops a trial; one that is not watched has ended."""
        watched = self._trials.get((trial_id, attempt))
        if watched is not None and watched.cancel is None:
            watched.cancel = messages.cancel(trial_id, attempt, signal, grace_seconds)
            self._send(watched.cancel)

    def abandon(
        self, trial_id: str, attempt: int, signal: int, grace_seconds: float, then: Callable[[], None]
    ) -> None:
        """Stops a trial whose end was told, once a courier can be told; nothing of it is emitted any more.

        Args:
            trial_id: The trial.
            attempt: Which run of it.
            signal: The first signal.
            grace_seconds: How long it has after it.
            then: Is called when it does not run any more.
        """
        watched = self._trials.setdefault((trial_id, attempt), _Watched(launch=None))
        watched.launch, watched.abandoned = None, then
        watched.cancel = messages.cancel(trial_id, attempt, signal, grace_seconds)
        self._send(messages.adopt(trial_id, attempt, watched.position))
        self._send(watched.cancel)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that results are stored."""
        if (trial_id, attempt) in self._trials:
            self._send(messages.acknowledge(trial_id, attempt, offset))

    def release(self) -> None:
        """Says that no trial is coming; that holds until one is launched."""
        self._released = True
        self._send(messages.release())

    async def close(self, patience: float = END_SECONDS, *, may_have_waiting: bool = False) -> None:
        """Ends the courier. Trials go on.

        Args:
            patience: The seconds after which the courier is killed.
            may_have_waiting: Processes may wait for a trial; they are stopped, by another courier if the last
                one has just died.
        """
        if self._task is None:
            return
        await cancelled(self._task)
        self._task = None
        process, self._process = self._process, None
        if process is not None and await self._shut_down(process, patience):
            return
        if may_have_waiting:
            try:
                self._process = await self._open_ready()
                self._tell_trials()  # so that it leaves those alone that run
                process, self._process = self._process, None
                await self._shut_down(process, patience)
            except (OSError, ValueError, TrainingServiceError) as error:
                logger.error("processes that wait for a trial cannot be stopped: %s", error)

    async def _shut_down(self, process: CourierProcess, patience: float) -> bool:
        """Ends a courier. Returns whether it ended by itself, with all done."""
        process.write(messages.shut_down())
        return (await process.stop(patience)).startswith(CLEAN_END)

    def _send(self, command: bytes) -> None:
        if self._process is not None:
            self._process.write(command)

    async def _open_first(self) -> CourierProcess:
        while True:
            try:
                return await self._open_ready()
            except _CourierDiedError as death:
                self._deaths += 1
                if self._deaths >= MAX_DEATHS:
                    raise
                logger.warning("the courier ended (%s) before it had begun; it is started again", death)
                await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(min(_FIRST_PAUSE * 2 ** max(0, self._deaths - 1), _LONGEST_PAUSE))

    async def _open_ready(self) -> CourierProcess:
        process = await self._open_courier()
        self._unfinished = b""
        try:
            line = await asyncio.wait_for(self._first_line(process), READY_SECONDS)
        except asyncio.TimeoutError:
            await process.stop(0)
            raise TrainingServiceError(
                f"no sign of life from it within {READY_SECONDS:.0f} seconds"
            ) from None
        except BaseException:
            await process.stop(0)
            raise
        if line is None:
            raise _CourierDiedError(await process.stop(END_SECONDS))
        name, content = messages.parse_event(line)
        if name != "ready":
            await process.stop(0)
            raise TrainingServiceError(f"it began with {line[:200]!r}")
        logger.info("courier %s runs as process %s", content.get("version"), content.get("pid"))
        return process

    async def _first_line(self, process: CourierProcess) -> bytes | None:
        while b"\n" not in self._unfinished:
            data = await process.read()
            if not data:
                return None
            self._unfinished += data
        line, _, self._unfinished = self._unfinished.partition(b"\n")
        return line

    async def _serve(self, process: CourierProcess) -> None:
        """Takes what couriers say, one courier after another."""
        while True:
            self._process = process
            began = time.monotonic()
            self._tell_trials()
            try:
                await self._listen(process)
                how = await process.stop(END_SECONDS)
            except (ValueError, KeyError, TypeError) as error:
                logger.exception("the courier sent what cannot be understood")
                how = f"it sent what cannot be understood ({error}) and was ended: {await process.stop(0)}"
            self._process = None
            if time.monotonic() - began >= LASTING_SECONDS:
                self._deaths = 0
            replacement = await self._replace(how)
            if replacement is None:
                return
            process = replacement

    def _on_served(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the connection to the courier broke", exc_info=error)
            self._emit(
                TrainingServiceFailed(f"the connection to the courier broke: {error!r}", at=time.time())
            )

    async def _replace(self, how: str) -> CourierProcess | None:
        """Starts another courier; returns None when it is hopeless, which was told then."""
        while True:
            if not how.startswith(CONNECTION_LOST):
                self._deaths += 1
            logger.warning("the courier ended (%s); it is started again and no trial is lost", how)
            if self._deaths >= MAX_DEATHS:
                message = f"the courier, which runs the trials, ended {self._deaths} times in a row: {how}"
                self._emit(TrainingServiceFailed(message, at=time.time()))
                return None
            await self._pause()
            try:
                return await self._open_ready()
            except (OSError, ValueError, TrainingServiceError) as error:
                how = str(error)

    def _tell_trials(self) -> None:
        for (trial_id, attempt), watched in self._trials.items():
            self._send(watched.launch or messages.adopt(trial_id, attempt, watched.position))
            if watched.cancel is not None:
                self._send(watched.cancel)
        if self._released:
            self._send(messages.release())

    async def _listen(self, process: CourierProcess) -> None:
        parts = [self._unfinished]
        while data := await process.read():
            head, newline, tail = data.rpartition(b"\n")
            if not newline:
                parts.append(data)
                continue
            parts.append(head)
            for line in b"".join(parts).split(b"\n"):
                self._take(*messages.parse_event(line))
            parts = [tail]

    def _take(self, name: str, content: messages.Message) -> None:
        if name == "problem":
            logger.warning("%s", content["message"])
            return
        key = messages.trial_of(content)
        watched = self._trials.get(key)
        if watched is None:
            return
        self._deaths = 0
        if watched.abandoned is not None:
            self._take_abandoned(watched.abandoned, name, content)
            return
        if name == "waits":
            self._emit(messages.waits_event(content))
            return
        # Whatever else is told of a trial, it was launched: another courier is to go on where this one was.
        watched.launch = None
        if name == "started":
            if not watched.started:
                watched.started = True
                self._emit(messages.started_event(content))
        elif name == "reported":
            event = messages.reported_event(content)
            watched.position = event.end_offset or 0
            self._emit(event)
        elif name == "ended":
            del self._trials[key]
            self._emit(messages.ended_event(content))
        else:
            raise ValueError(f"unknown message {name!r}")

    def _take_abandoned(self, then: Callable[[], None], name: str, content: messages.Message) -> None:
        key = messages.trial_of(content)
        if name == "reported":  # what it is told after its end was told, nobody wants
            self._send(messages.acknowledge(*key, int(content.get("endOffset", 0))))
        elif name == "ended":
            del self._trials[key]
            then()


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancels a task until it has ended: before Python 3.12 `wait_for` may swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_SECONDS)
