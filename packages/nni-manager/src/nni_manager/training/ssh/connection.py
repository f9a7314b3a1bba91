"""One connection to a machine; any number of commands and transfers run over it side by side."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nni_manager.training.ssh import transfer
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.process import SshProcess
from nni_manager.training.ssh.shell import wrapped
from nni_manager.training.ssh.target import SshTarget
from nni_manager.training.ssh.threads import Threads

if TYPE_CHECKING:
    import paramiko

    from nni_manager.training.ssh.dialing import Dialer

logger = logging.getLogger(__name__)

COMMAND_SECONDS = 60.0
"""How long a command may take if nothing else is said."""

MOST_COMMANDS = 8
"""How many commands run at a time; further ones wait. OpenSSH's server allows 10 (MaxSessions)."""

SILENCES = 3
"""A machine that says nothing for so many keepalive intervals is lost."""

_KILL_SECONDS = 15.0
_REASON_SECONDS = 2.0
_LOOKS = 50
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a command ended.

    Attributes:
        exit_code: Its exit code; 128 + n if signal n ended it.
        stdout: What it wrote, without what the user's start-up files (.bashrc) wrote before.
        stderr: Likewise.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes


class SshConnection:
    """A connection to a machine. It does not come back when it is lost: close it and open another."""

    def __init__(
        self, target: SshTarget, dialer: Dialer, transport: paramiko.Transport, threads: Threads
    ) -> None:
        """Use `open`."""
        self._target = target
        self._dialer = dialer
        self._transport = transport
        self._threads = threads
        self._slots = asyncio.Semaphore(MOST_COMMANDS)
        self._commands = 0
        self._others: set[SshConnection] = set()
        self._ending = False
        self._silence = ""
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._watcher = asyncio.create_task(self._watch(), name=f"{target.name}: connection")
        self._keeper = asyncio.create_task(self._keep_alive(), name=f"{target.name}: keepalive")

    @classmethod
    async def open(cls, target: SshTarget) -> SshConnection:
        """Connects and signs in.

        Raises:
            SshError: The machine cannot be reached, is not the one it says it is, or refuses the user.
        """
        from nni_manager.training.ssh.dialing import Dialer  # which loads the SSH library

        threads = Threads(target.name)
        dialer = Dialer(target)
        try:
            transport = await threads.run(dialer.dial)
        except BaseException:
            dialer.abort()
            threads.abandon()
            raise
        return cls(target, dialer, transport, threads)

    @property
    def name(self) -> str:
        """The machine's name."""
        return self._target.name

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return not self._closed.done() and self._transport.is_active()

    async def run(
        self,
        command: str,
        *,
        input: bytes = b"",
        timeout: float = COMMAND_SECONDS,
        check: bool = False,
        purpose: str = "",
    ) -> RunResult:
        """Runs a command for `/bin/sh`, whatever the user's own shell is.

        Args:
            command: The command. It can be seen by others there: no secrets.
            input: Its standard input.
            timeout: After so many seconds it is killed, with all processes of its group.
            check: Whether an exit code other than 0 is an error.
            purpose: What errors call it; the command itself if nothing is said.

        Raises:
            SshError: The connection was lost (Phase.LOST), no command can be run, it took too long, or it
                failed and check is set; then with the last line of its stderr.
        """

        async def send(process: SshProcess) -> None:
            await process.send(input)

        output: list[bytes] = []
        result = await self.stream(command, send, output.append, timeout, purpose)
        if check and result.exit_code != 0:
            lines = result.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
            raise self._failed(f"{lines[-1]} (exit code {result.exit_code} of {purpose or _short(command)})")
        return RunResult(result.exit_code, b"".join(output), result.stderr)

    async def stream(
        self,
        command: str,
        send: Callable[[SshProcess], Awaitable[None]],
        take: Callable[[bytes], object],
        timeout: float | None = None,
        purpose: str = "",
    ) -> RunResult:
        """Runs a command for `/bin/sh` whose input or output is too much to be held.

        Args:
            command: The command.
            send: Sends its input; it is not closed by that.
            take: Gets its output, piece by piece, in a thread.
            timeout: After so many seconds it is killed; None is without a limit.
            purpose: What errors call it; the command itself if nothing is said.

        Returns:
            Its end, with stdout left empty.

        Raises:
            SshError: As `run` does.
        """
        errors: list[bytes] = []
        purpose = purpose or _short(command)
        async with self._process(command, errors.append) as process:
            try:
                lost = await asyncio.wait_for(self._exchange(process, send, take), timeout)
            except asyncio.TimeoutError:
                await process.kill()
                raise self._failed(f"{purpose} took longer than {timeout:g} s and was stopped") from None
            if lost:
                raise await self._lost()
            code = process.exit_code
            if code is None:
                raise self._failed(f"{purpose} was killed")
            return RunResult(code, b"", b"".join(errors))

    async def start(self, command: str) -> SshProcess:
        """Starts a command for `/bin/sh` and returns once it runs; nothing limits its time.

        What it writes to stderr is logged. It is to be stopped by its `stop`.

        Raises:
            SshError: The connection was lost (Phase.LOST), or no command can be run.
        """
        return await self._begin(command, None)

    async def upload(self, local: Path, remote: str, progress: transfer.Progress | None = None) -> None:
        """Sends a file. It appears there under its name, with mode 0600, when it is complete.

        Args:
            local: The file here.
            remote: Its path there, in a folder that exists; one that starts with "~/" is in the user's home.
            progress: Is told how far it is.

        Raises:
            SshError: The file cannot be written there, or the connection was lost (Phase.LOST).
            OSError: The file here cannot be read.
        """
        await transfer.upload(self, local, remote, progress)

    async def download(self, remote: str, local: Path, offset: int = 0) -> int:
        """Fetches a file, or what follows after so many bytes of it, to the same place of the local file.

        Args:
            remote: Its path there; one that starts with "~/" is in the user's home.
            local: The file here; its folder exists. It is cut off after what was fetched.
            offset: How many bytes to leave out.

        Returns:
            The size of the local file then.

        Raises:
            FileNotFoundError: There is no such file there.
            SshError: The file cannot be read there, or the connection was lost (Phase.LOST). What was
                fetched until then is right.
            OSError: The file here cannot be written.
        """
        return await transfer.download(self, remote, local, offset)

    async def wait_closed(self) -> str:
        """Waits until the connection is lost or closed, and returns why, in words."""
        return await asyncio.shield(self._closed)

    async def close(self) -> None:
        """Ends it and everything that runs over it; closing twice does nothing."""
        if self._ending:
            return
        self._ending = True
        await asyncio.gather(*(other.close() for other in self._others))
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._threads.run(self._dialer.abort)
        await self._watcher
        await self._threads.close()

    async def _exchange(
        self,
        process: SshProcess,
        send: Callable[[SshProcess], Awaitable[None]],
        take: Callable[[bytes], object],
    ) -> bool:
        """Sends and takes side by side. Returns whether the connection was lost."""
        sender = asyncio.create_task(_send_all(process, send), name=f"{self.name}: input")
        try:
            while data := await process.read():
                await self._threads.run(take, data)
            lost = await process.wait()
            if sender.done():
                sender.result()
            return lost
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _process(self, command: str, take_errors: Callable[[bytes], None]) -> AsyncIterator[SshProcess]:
        process = await self._begin(command, take_errors)
        try:
            yield process
        finally:
            await process.close()

    async def _begin(self, command: str, take_errors: Callable[[bytes], None] | None) -> SshProcess:
        from nni_manager.training.ssh.channels import RefusedError

        await self._slots.acquire()
        self._commands += 1
        try:
            return await self._begin_here(command, take_errors, self._release)
        except RefusedError as error:
            await self._release()
            if self._commands == 0:
                raise self._failed(f"its SSH server opens no session: {error}") from error
            return await self._begin_elsewhere(command, take_errors, str(error))
        except BaseException:
            await self._release()
            raise

    async def _begin_here(
        self,
        command: str,
        take_errors: Callable[[bytes], None] | None,
        release: Callable[[], Awaitable[None]],
    ) -> SshProcess:
        from nni_manager.training.ssh import channels

        if self._ending or self._closed.done():
            raise await self._lost()
        line, *beginnings = wrapped(command)
        opening = self._threads.begin(channels.open_command, self._transport, line)
        try:
            channel = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        except channels.GoneError:
            raise await self._lost() from None
        except channels.NoCommandsError as error:
            raise self._failed(f"its SSH server runs no commands for {self._target.user}: {error}") from error
        process = SshProcess(
            self.name,
            self._transport,
            channel,
            (beginnings[0], beginnings[1]),
            self._threads,
            kill=self._kill,
            take_errors=take_errors,
        )
        try:
            await process.begin()
        except BaseException as error:
            await process.close()
            if isinstance(error, SshError) and error.phase is Phase.LOST:
                raise await self._lost() from None
            raise
        process.when_closed(release)
        return process

    async def _begin_elsewhere(
        self, command: str, take_errors: Callable[[bytes], None] | None, refusal: str
    ) -> SshProcess:
        """Runs a command over another connection, as the server allows no further one on this."""
        logger.info("%s: it opens no further session (%s); another connection is made", self.name, refusal)
        other = await SshConnection.open(self._target)
        self._others.add(other)

        async def release() -> None:
            self._others.discard(other)
            await other.close()

        try:
            return await other._begin_here(command, take_errors, release)
        except BaseException:
            await release()
            raise

    async def _release(self) -> None:
        self._commands -= 1
        self._slots.release()

    async def _kill(self, process_id: int) -> None:
        try:
            await asyncio.wait_for(self.run(f"kill -9 -{process_id}"), _KILL_SECONDS)
        except (SshError, asyncio.TimeoutError) as error:
            reason = str(error) or f"{self.name} does not answer"
            logger.warning("process %s cannot be killed: %s", process_id, reason)

    async def _watch(self) -> None:
        """Waits for the connection's end and tells why."""
        from nni_manager.training.ssh import channels

        await self._threads.run(self._transport.join)
        if self._ending:
            reason = "closed"
        elif self._silence:
            reason = self._silence
        else:
            reason = channels.why_it_ended(self._transport)
        if not self._ending:
            logger.info("%s: the connection is lost: %s", self.name, reason)
            await self._threads.run(self._dialer.abort)
        self._closed.set_result(reason)

    async def _keep_alive(self) -> None:
        """Asks a silent machine whether it lives, and gives the connection up if it never answers.

        Silences are counted, not timed: this process may have been stopped for a while.
        """
        from nni_manager.training.ssh import channels

        assert self._dialer.heard_socket is not None
        socket, silences = self._dialer.heard_socket, 0
        question: asyncio.Future[Any] | None = None
        while silences < SILENCES:
            before = socket.heard
            await asyncio.sleep(self._target.keepalive)
            silences = silences + 1 if socket.heard == before else 0
            if question is None or question.done():
                question = self._threads.begin(channels.ask, self._transport)
        await self._give_up(SILENCES * self._target.keepalive)

    async def probe(self, seconds: float) -> bool:
        """Asks the machine whether it lives, and gives the connection up if it says nothing.

        Args:
            seconds: How long it has to say anything.

        Returns:
            Whether it lives.
        """
        from nni_manager.training.ssh import channels

        assert self._dialer.heard_socket is not None
        socket = self._dialer.heard_socket
        before = socket.heard
        self._threads.begin(channels.ask, self._transport)
        for _ in range(_LOOKS):  # counted, not timed, as above
            await asyncio.sleep(seconds / _LOOKS)
            if socket.heard != before:
                return True
        if self.is_open and not self._ending:
            await self._give_up(seconds)
        return False

    async def _give_up(self, silence: float) -> None:
        self._silence = f"no sign of life for {silence:g} s"
        await self._threads.run(self._dialer.abort)

    async def _lost(self) -> SshError:
        """Returns the error to raise when the connection has just been lost."""
        try:
            reason = await asyncio.wait_for(self.wait_closed(), _REASON_SECONDS)
        except asyncio.TimeoutError:
            reason = "the SSH server does not answer as it should"
        return SshError(self.name, Phase.LOST, f"the connection was lost: {reason}")

    def _failed(self, reason: str) -> SshError:
        return SshError(self.name, Phase.COMMAND, reason)


def _short(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."


def _close_late(opening: asyncio.Future[paramiko.Channel]) -> None:
    """Closes a channel that nobody waits for any more."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


async def _send_all(process: SshProcess, send: Callable[[SshProcess], Awaitable[None]]) -> None:
    await send(process)
    process.close_input()
