"""One TensorBoard: its process, its socket, and the folder of links that it reads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from nni_manager.tensor_board.process import READY

_LOG = logging.getLogger(__name__)
_START_SECONDS = 120.0
_END_SECONDS = 5.0
_LINES_KEPT = 30
_LONGEST_LINE = 1000


class TensorBoardFailedError(Exception):
    """TensorBoard could not be started; the text says why, with what it printed last."""


class Board:
    """A TensorBoard's process.

    Attributes:
        folder: The private folder that holds its socket and its links.
    """

    def __init__(self, folder: Path) -> None:
        """Makes one that does not run yet.

        Args:
            folder: A folder of its own with a short path, which does not exist yet.
        """
        self.folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._ready = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    @property
    def socket(self) -> Path:
        """The socket that it answers at."""
        return self.folder / "http"

    @property
    def problem(self) -> str:
        """Why it ended, with the last lines that it printed; "" while it runs."""
        if self._process is None or self._process.returncode is None:
            return ""
        code = self._process.returncode
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return "\n".join([f"TensorBoard ended {how}", *self._lines])

    def link(self, runs: Mapping[str, Path]) -> None:
        """Lets it read these folders, each under its name; others that it was given stay."""
        for name, path in runs.items():
            with contextlib.suppress(FileExistsError):
                (self._links / name).symlink_to(path)

    async def start(self, runs: Mapping[str, Path]) -> None:
        """Starts it and waits until it answers.

        Args:
            runs: The folders that it is to read, by the names of the runs.

        Raises:
            TensorBoardFailedError: It ended, or took too long.
        """
        self.folder.mkdir(mode=0o700)
        self._links.mkdir(mode=0o700)
        self.link(runs)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "nni_manager.tensor_board.process", str(self.socket), str(self._links)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.folder,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {ready, self._reading}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            ready.cancel()
        if self._ready.is_set():
            return
        problem = self.problem or "\n".join([f"no answer after {_START_SECONDS:.0f} s", *self._lines])
        await self.end()
        raise TensorBoardFailedError(problem)

    async def end(self) -> None:
        """Ends it, and removes its folder."""
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()  # which it takes as the sign to end
            try:
                await asyncio.wait_for(process.wait(), _END_SECONDS)
            except asyncio.TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._reading is not None:
            await self._reading
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def _links(self) -> Path:
        return self.folder / "runs"

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await _line(process.stdout):
            text = line.decode(errors="replace").rstrip()[:_LONGEST_LINE]
            if text == READY:
                self._ready.set()
            else:
                _LOG.info("TensorBoard: %s", text)
                self._lines.append(text)
        await process.wait()


async def _line(stream: asyncio.StreamReader) -> bytes:
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.readexactly(error.consumed)
