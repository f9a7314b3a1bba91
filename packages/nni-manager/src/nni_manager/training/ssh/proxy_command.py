"""The command of a user that leads to a machine (ProxyCommand), as a socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile

_END_SECONDS = 2.0
_MOST_WORDS = 500


class ProxyCommand:
    """Runs the command on one end of a pair of sockets; the SSH library gets the other one.

    The library's own class never notices the command's end, and leaves it behind.

    Attributes:
        socket: Our end.
    """

    def __init__(self, command: str) -> None:
        """Starts the command, by a shell as ssh does.

        Raises:
            OSError: It cannot be started.
        """
        self.socket, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                start_new_session=True,
            )
        except BaseException:
            self.socket.close()
            self._errors.close()
            raise
        finally:
            theirs.close()

    def last_words(self) -> str:
        """Returns the last line of its stderr, and how it ended if it did, for people."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        said = lines[-1][:_MOST_WORDS] if lines else "it said nothing"
        code = self._process.returncode
        return said if code is None else f"{said} (exit code {code})"

    def close(self) -> None:
        """Ends it, with the processes that it has started."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
                break
        self._errors.close()
