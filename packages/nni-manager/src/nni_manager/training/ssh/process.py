"""A command that runs on a machine, with its standard streams."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from nni_manager.training.courier_connection import CONNECTION_LOST
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.shell import Beginning
from nni_manager.training.ssh.threads import Threads

if TYPE_CHECKING:
    import paramiko

logger = logging.getLogger(__name__)

BEGIN_SECONDS = 60.0
"""How long a user's shell may take to get to a command."""

_CHUNK = 1 << 20
_LAST_LINES = 5
_KILL_SECONDS = 5.0
_LAST_WORDS_SECONDS = 2.0
_LOSS_SECONDS = 1.0


class Stream:
    """One of a channel's two streams, read without a thread that waits for it."""

    def __init__(self, channel: paramiko.Channel, threads: Threads, *, errors: bool) -> None:
        """Begins to be told of what arrives."""
        self._channel = channel
        self._threads = threads
        self._ready = channel.recv_stderr_ready if errors else channel.recv_ready
        self._receive = channel.recv_stderr if errors else channel.recv
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._broken = False
        # The library calls set() when there is something to read or will never be, in a thread of its own.
        (channel.in_stderr_buffer if errors else channel.in_buffer).set_event(self)  # type: ignore[arg-type]

    def set(self) -> None:
        """Says that there is something to read, or never will be."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def clear(self) -> None:
        """Says that there is nothing to read; we find that out ourselves."""

    async def read(self) -> bytes:
        """Returns what has arrived, b"" at the end."""
        while not self._broken:
            ended = self._channel.eof_received or self._channel.closed
            if self._ready():
                return await self._threads.run(self._take)
            if ended:
                break
            await self._arrived.wait()
            self._arrived.clear()
        return b""

    def _take(self) -> bytes:
        try:
            return self._receive(_CHUNK)
        except (OSError, EOFError):
            self._broken = True  # the connection broke; what follows has a gap before it
            return b""


class SshProcess:
    """A running command, such as a courier (CourierProcess of courier_connection.py)."""

    def __init__(
        self,
        machine: str,
        transport: paramiko.Transport,
        channel: paramiko.Channel,
        beginnings: tuple[Beginning, Beginning],
        threads: Threads,
        *,
        kill: Callable[[int], Awaitable[None]],
        take_errors: Callable[[bytes], None] | None = None,
    ) -> None:
        """Begins to take what the command writes to stderr.

        Args:
            machine: The machine's name.
            transport: The connection.
            channel: The command's channel.
            beginnings: What finds the beginning of its stdout and of its stderr.
            threads: The connection's threads.
            kill: Kills the process group that a process leads.
            take_errors: Gets what it writes to stderr, which is logged if nobody does.
        """
        self._machine = machine
        self._transport = transport
        self._channel = channel
        self._threads = threads
        self._output = Stream(channel, threads, errors=False)
        self._errors = Stream(channel, threads, errors=True)
        self._beginning, self._errors_beginning = beginnings
        self._unread = b""
        self._outgoing: deque[bytes] = deque()
        self._input_ends = False
        self._to_send = asyncio.Event()
        self._kill = kill
        self._release: Callable[[], Awaitable[None]] | None = None
        self._take_errors = take_errors or self._log_errors
        self._unfinished_line = b""
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._reader = asyncio.create_task(self._read_errors(), name=f"{machine}: stderr")
        self._writer = asyncio.create_task(self._send_outgoing(), name=f"{machine}: stdin")

    async def begin(self) -> None:
        """Waits until the command runs.

        Raises:
            SshError: It does not.
        """
        try:
            await asyncio.wait_for(self._find_beginning(), BEGIN_SECONDS)
        except asyncio.TimeoutError:
            raise self._no_command(
                f"the shell of the user does not get to it within {BEGIN_SECONDS:g} s; "
                "a start-up file such as .bashrc may wait for something"
            ) from None

    async def _find_beginning(self) -> None:
        while self._beginning.process_id is None:
            data = await self._output.read()
            if not data:
                await asyncio.wait([self._reader], timeout=_LAST_WORDS_SECONDS)
                if await self._lost():
                    raise SshError(self._machine, Phase.LOST, CONNECTION_LOST)
                noise = self._beginning.noise or self._errors_beginning.noise
                said = f'ended and said "{noise}"' if noise else f"ended ({self._how()})"
                raise self._no_command(f"the shell of the user {said}")
            self._unread = self._beginning.take(data)

    def _no_command(self, reason: str) -> SshError:
        return SshError(self._machine, Phase.COMMAND, f"no command can be run: {reason}")

    def when_closed(self, release: Callable[[], Awaitable[None]]) -> None:
        """Says what is to be done when its channel is closed."""
        self._release = release

    @property
    def process_id(self) -> int:
        """Its process id there; it leads a process group of its own."""
        assert self._beginning.process_id is not None
        return self._beginning.process_id

    @property
    def exit_code(self) -> int | None:
        """Its exit code, None if it runs, was killed by a signal, or nothing is known."""
        code = self._channel.exit_status
        return code if code >= 0 else None

    async def read(self) -> bytes:
        """Returns what it wrote since, b"" when it has ended or the connection was lost."""
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        return await self._output.read()

    def write(self, data: bytes) -> None:
        """Sends to it and returns at once; what a dead one would get is lost."""
        if not self._input_ends:
            self._outgoing.append(data)
            self._to_send.set()

    async def send(self, data: bytes) -> bool:
        """Sends to it and returns when the connection took that; False if it takes nothing any more."""
        from nni_manager.training.ssh import channels

        return await self._threads.run(channels.send, self._channel, data)

    def close_input(self) -> None:
        """Says that nothing more is sent, once all that was written is sent."""
        self._input_ends = True
        self._to_send.set()

    async def wait(self) -> bool:
        """Waits until it has ended. Returns whether the connection was lost: nothing is known then."""
        while not await self._threads.run(self._channel.status_event.wait, _KILL_SECONDS):
            continue
        await asyncio.wait([self._reader], timeout=_LAST_WORDS_SECONDS)
        return await self._lost()

    async def stop(self, patience: float) -> str:
        """Waits until it has ended, kills it after so many seconds, and returns how it ended, in words.

        They begin with "exit code 0" if it ended by itself as it should, and with CONNECTION_LOST if nothing
        is known; the last lines of its stderr follow.
        """
        self.close_input()
        ended = await self._threads.run(self._channel.status_event.wait, patience)
        if not ended:
            await self._kill(self.process_id)
            await self._threads.run(self._channel.status_event.wait, _KILL_SECONDS)
        await asyncio.wait([self._reader], timeout=_LAST_WORDS_SECONDS)
        how = CONNECTION_LOST if await self._lost() else self._how()
        await self.close()
        return "\n".join([how, *self._last_lines])

    async def kill(self) -> None:
        """Kills it and the processes of its group."""
        await self._kill(self.process_id)

    async def close(self) -> None:
        """Lets the channel go, whether it has ended or not."""
        from nni_manager.training.ssh import channels

        for task in (self._reader, self._writer):
            task.cancel()
        await asyncio.gather(self._reader, self._writer, return_exceptions=True)
        await self._threads.run(channels.close, self._channel)
        release, self._release = self._release, None
        if release is not None:
            await release()

    async def _lost(self) -> bool:
        if self.exit_code is not None:
            return False
        # A connection that breaks closes its channels a moment before it says so itself.
        await self._threads.run(self._transport.join, _LOSS_SECONDS)
        return not self._transport.is_active()

    def _how(self) -> str:
        return "killed by a signal" if self.exit_code is None else f"exit code {self.exit_code}"

    async def _send_outgoing(self) -> None:
        from nni_manager.training.ssh import channels

        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._outgoing:
                data = b"".join(self._outgoing)
                self._outgoing.clear()
                if not await self.send(data):
                    return
            if self._input_ends:
                await self._threads.run(channels.end_input, self._channel)
                return

    async def _read_errors(self) -> None:
        while data := await self._errors.read():
            self._take_errors(self._errors_beginning.take(data))
        if self._unfinished_line:
            self._log_errors(b"\n")

    def _log_errors(self, data: bytes) -> None:
        *lines, self._unfinished_line = (self._unfinished_line + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace")
            self._last_lines.append(text)
            logger.warning("%s: %s", self._machine, text)
