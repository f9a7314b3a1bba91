"""One process of an algorithm, and the messages to and from it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from asyncio.subprocess import Process
from pathlib import Path

from google.protobuf.message import DecodeError
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse

from nni_manager.tuning.child import exit_cause, kill_session, last_lines, start_child
from nni_manager.tuning.conversation import SECONDS_TO_EXIT, Ended, Ending, Take
from nni_manager.tuning.framing import HEADER_SIZE, body_size, frame, framed
from nni_manager.tuning.interface import AlgorithmSettings
from nni_manager.tuning.requests import terminate_request

_logger = logging.getLogger(__name__)


class Connection:
    """A process with the socket to it, both there until the process has ended.

    Attributes:
        last_number: The number of the last message that was sent.
    """

    def __init__(
        self,
        process: Process,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        log: tuple[Path, int],
        take: Take,
        ended: Ended,
    ) -> None:
        """Use `connect` instead."""
        self.last_number = 0
        self._process = process
        self._reader, self._writer = streams
        self._log = log
        self._take = take
        self._ended = ended
        self._is_finished = False
        self._life = asyncio.create_task(self._live())

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, request: AlgorithmRequest) -> int:
        """Sends a message soon and returns the number it gets; it is dropped when the process has ended.

        Raises:
            ValueError: The message is too large.
        """
        request.number = self.last_number + 1
        data = frame(request)
        self.last_number += 1
        if self._can_send:
            self._writer.write(data)
        return self.last_number

    async def send_all(self, messages: list[bytes]) -> bool:
        """Sends messages that have their numbers, and returns once the process has room for more.

        Args:
            messages: The messages as bytes.

        Returns:
            False when the process has ended.
        """
        self.last_number += len(messages)
        if not self._can_send:
            return False
        self._writer.write(b"".join(map(framed, messages)))
        try:
            await self._writer.drain()
        except ConnectionError:
            return False
        return True

    def finish(self) -> None:
        """Lets the process know that nothing more will be sent, which it waits for after its last words."""
        if self._can_send:
            self._is_finished = True
            self._writer.write_eof()

    async def close(self, grace_seconds: float = SECONDS_TO_EXIT) -> None:
        """Asks the process to end, waits, and kills it."""
        self.send(terminate_request())
        done, _ = await asyncio.wait([self._life], timeout=grace_seconds)
        if not done:
            _logger.warning("An algorithm did not end within %s s and is killed.", grace_seconds)
            kill_session(self._process)
        await self._life

    @property
    def _can_send(self) -> bool:
        return not self._is_finished and not self._writer.is_closing()

    async def _live(self) -> None:
        """Reads what the algorithm answers until its process has ended."""
        reading = asyncio.create_task(self._read())
        exiting = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait([reading, exiting], return_when=asyncio.FIRST_COMPLETED)
            if not exiting.done():
                # It closed its end, so it is about to exit.
                await asyncio.wait([exiting], timeout=SECONDS_TO_EXIT)
                kill_session(self._process)
            await exiting
            # A process that it left behind may hold its end open: what it sent itself is here already.
            with contextlib.suppress(OSError):
                self._writer.get_extra_info("socket").shutdown(socket.SHUT_RD)
            await reading
            kill_session(self._process)
            cause, message = exit_cause(exiting.result())
            self._ended(Ending(message, last_lines(*self._log), cause))
        finally:
            self._writer.close()

    async def _read(self) -> None:
        try:
            while True:
                header = await self._reader.readexactly(HEADER_SIZE)
                body = await self._reader.readexactly(body_size(header))
                self._take(AlgorithmResponse.FromString(body))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except (DecodeError, ValueError) as error:
            self._ended(Ending(f"it sent what is not the protocol: {error}"))


async def connect(settings: AlgorithmSettings, take: Take, ended: Ended) -> Connection:
    """Starts a process and returns the connection to it.

    Args:
        settings: The algorithm that it will be.
        take: Gets what it answers.
        ended: Gets its end, after all it answered; perhaps more than once.

    Raises:
        OSError: It cannot be started.
    """
    settings.log_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_path = settings.log_directory / "dispatcher.log"
    log_offset = 0
    with contextlib.suppress(FileNotFoundError):
        log_offset = log_path.stat().st_size
    process, ours = await start_child(settings, log_path)
    streams = await asyncio.open_unix_connection(sock=ours)
    return Connection(process, streams, (log_path, log_offset), take, ended)
