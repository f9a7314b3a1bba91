"""A manager that this process started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from nni_config.processes import process_start_time

from nni_client.address import ManagerAddress

_BEFORE_KILL_SECONDS = 120.0
_POLL_SECONDS = 0.02


def _say_nothing(*_: object, **__: object) -> None:
    """Stands where Popen has `warnings.warn`."""


class LastingProcess(subprocess.Popen[bytes]):
    """A process that may outlive the object, and the process that started it."""

    def __del__(self) -> None:
        """Has it waited for later, so that no zombie is left, without Popen's warning that it still runs."""
        super().__del__(_warn=_say_nothing)  # type: ignore[call-arg]


@dataclass(frozen=True)
class ManagerProcess:
    """A manager that runs.

    Attributes:
        process: Its process.
        address: Where it listens.
        version: The version of the nni-manager distribution.
        log_directory: The folder of its logs.
    """

    process: subprocess.Popen[bytes]
    address: ManagerAddress
    version: str
    log_directory: Path
    _starter: int = field(default_factory=os.getpid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it has ended."""
        if os.getpid() != self._starter:
            return process_start_time(self.pid) is None  # only its own parent can wait for it
        return self.process.poll() is not None

    def wait(self, timeout: float) -> bool:
        """Waits until it has ended and returns True, or False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self.has_ended:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def end(self) -> None:
        """Ends it and waits: asked to stop first, killed when it does not."""
        end_process(self.process)


def end_process(process: subprocess.Popen[bytes], before_kill: float = _BEFORE_KILL_SECONDS) -> None:
    """Ends a process and waits until it is gone.

    Args:
        process: The process.
        before_kill: How many seconds it has to end by itself after SIGTERM.
    """
    process.terminate()
    try:
        process.wait(before_kill)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        close_lifeline(process)


def close_lifeline(process: subprocess.Popen[bytes]) -> None:
    """Closes the pipe by which a manager that only shows an experiment knows that this process lives."""
    if process.stdin is not None:
        process.stdin.close()


def describe_exit(return_code: int) -> str:
    """Returns how a process ended, in words."""
    if return_code >= 0:
        return f"exit code {return_code}"
    try:
        name = signal.Signals(-return_code).name
    except ValueError:
        name = "unknown"
    return f"signal {-return_code} ({name})"
