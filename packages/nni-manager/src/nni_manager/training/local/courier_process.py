"""A courier as a process on this machine."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger(__name__)

_CHUNK = 1 << 18
_LAST_LINES = 5


class LocalCourierProcess:
    """The process with its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Begins to log what the process writes to stderr."""
        self._process = process
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._stderr_task = asyncio.create_task(self._log_stderr(), name="courier's stderr")

    async def read(self) -> bytes:
        """Returns what the courier wrote since, b"" when it has ended."""
        assert self._process.stdout is not None
        return await self._process.stdout.read(_CHUNK)

    def write(self, data: bytes) -> None:
        """Sends to the courier; what a dead one would get is lost."""
        assert self._process.stdin is not None
        if not self._process.stdin.is_closing():
            self._process.stdin.write(data)

    async def stop(self, patience: float) -> str:
        """Waits until the courier has ended, kills it after so many seconds, and returns how it ended."""
        try:
            await asyncio.wait_for(self._process.wait(), patience)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._stderr_task
        code = self._process.returncode or 0
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return "\n".join([how, *self._last_lines])

    async def _log_stderr(self) -> None:
        assert self._process.stderr is not None
        unfinished = b""
        while data := await self._process.stderr.read(_CHUNK):
            *lines, unfinished = (unfinished + data).split(b"\n")
            self._take_lines(lines)
        self._take_lines([unfinished] if unfinished else [])

    def _take_lines(self, lines: list[bytes]) -> None:
        for line in lines:
            text = line.decode("utf-8", "replace")
            self._last_lines.append(text)
            logger.warning("courier: %s", text)


async def open_courier(
    experiment_id: str,
    experiment_directory: Path,
    grace_seconds: float,
    environment: Mapping[str, str],
    socket_path: str = "",
) -> LocalCourierProcess:
    """Starts a courier in a session of its own, where Ctrl-C in a terminal does not reach it.

    Args:
        experiment_id: The experiment.
        experiment_directory: Its folder.
        grace_seconds: How long processes that a trial left behind have after SIGTERM.
        environment: Its environment, and but for what is added the trials'.
        socket_path: Where processes may ask for more trials, "" when each runs one.

    Raises:
        OSError: It cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-S",  # it needs the standard library only, and a start without site-packages is twice as fast
        "-m",
        "nni.courier",
        f"--experiment-id={experiment_id}",
        f"--experiment-directory={experiment_directory}",
        f"--grace-seconds={grace_seconds}",
        f"--socket={socket_path}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=experiment_directory,
        env=dict(environment),
        start_new_session=True,
    )
    return LocalCourierProcess(process)
