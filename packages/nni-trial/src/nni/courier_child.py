"""A courier as a child of a program with the standard library alone."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from typing import List, Optional, Tuple

END_SECONDS = 10.0
"""How long a courier may take to end after its standard input was closed."""

_CHUNK = 1 << 18


class CourierChild:
    """Starts a courier, and another one when it is asked to."""

    def __init__(self, arguments: List[str]) -> None:
        """Starts nothing yet.

        Args:
            arguments: The courier's command line.
        """
        self._command = [sys.executable, "-S", "-m", "nni.courier", *arguments]
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._unfinished = b""

    def start(self) -> None:
        """Starts a courier, in a session of its own.

        Raises:
            OSError: It cannot be started.
        """
        self._unfinished = b""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )

    def write(self, line: bytes) -> None:
        """Sends a line; what a dead courier would get is lost."""
        assert self._process is not None and self._process.stdin is not None
        data = line + b"\n"
        try:
            while data:
                data = data[os.write(self._process.stdin.fileno(), data) :]
        except BrokenPipeError:
            return

    def lines(self, timeout: float) -> Tuple[List[bytes], bool]:
        """Waits for what it says.

        Args:
            timeout: For so many seconds at most.

        Returns:
            The lines it said, without their ends, and whether it has ended and says no more.
        """
        assert self._process is not None and self._process.stdout is not None
        stdout = self._process.stdout.fileno()
        if not select.select([stdout], [], [], timeout)[0]:
            return [], False
        data = os.read(stdout, _CHUNK)
        *whole, self._unfinished = (self._unfinished + data).split(b"\n")
        return whole, not data

    def how_it_ended(self) -> str:
        """Waits until it has ended, kills it if that takes long, and says how it ended."""
        assert self._process is not None
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def end(self) -> None:
        """Closes its standard input, upon which it ends; trials go on."""
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            return
        self._process.stdin.close()
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline and not self.lines(0.5)[1]:
            continue
        self.how_it_ended()
