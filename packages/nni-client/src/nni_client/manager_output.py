"""Where a manager's output goes, and its last lines when it fails."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from nni_client.manager_command import ManagerCommand

LOG_LINES = 20
"""How many lines of a log are shown when a manager fails."""

_OWN_LOG = "nnimanager.log"
_STDOUT_LOG = "nnictl_stdout.log"
_STDERR_LOG = "nnictl_stderr.log"


class ManagerOutput:
    """The files that a manager being started writes to, open while the block lasts.

    Attributes:
        stdout: Where its standard output goes; None for where this process's goes.
        stderr: Where its error output goes; None for where this process's goes.
    """

    def __init__(self, command: ManagerCommand, inherit: bool) -> None:
        """Opens the files.

        Args:
            command: What the manager is to do. One that only reads leaves no output behind.
            inherit: Let it write where this process writes.

        Raises:
            OSError: The experiment's folder cannot be written to.
        """
        self.stdout: BinaryIO | None = None
        self.stderr: BinaryIO | None = None
        self._log = command.log_directory / _OWN_LOG
        self._log_size = self._log.stat().st_size if self._log.exists() else 0
        self._where = "stderr"
        self._logs: list[_Log] = []
        if command.view:
            self.stdout = self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        elif not inherit:
            _make_private_folder(command.log_directory)
            self._where = str(command.log_directory / _STDERR_LOG)
            self._logs = [_Log(command, _STDOUT_LOG), _Log(command, _STDERR_LOG)]
            self.stdout, self.stderr = (log.file for log in self._logs)
        self._begin = self.stderr.seek(0, os.SEEK_END) if self.stderr is not None else 0

    def __enter__(self) -> ManagerOutput:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            for log in self._logs:
                log.remove_idle_heading()
        for file in (self.stdout, self.stderr):
            if file is not None:
                file.close()

    def ending(self, known: str = "") -> str:
        """Returns the last lines written since the start, each log under its path.

        Args:
            known: What the user is told anyway; lines that only repeat it are left out.
        """
        parts = []
        if self.stderr is not None:
            self.stderr.seek(self._begin)
            parts.append(_described(self._where, self.stderr, known))
        if self._log.exists():
            with self._log.open("rb") as file:
                # A log that is shorter than before was begun anew.
                file.seek(self._log_size if self._log_size <= self._log.stat().st_size else 0)
                parts.append(_described(str(self._log), file, known))
        nothing = f"It wrote nothing {'more ' if known else ''}to {self._log}."
        return "\n".join(part for part in parts if part) or nothing


def log_ending(log_directory: Path) -> str:
    """Returns the last lines of a manager's logs, each under its path."""
    parts = []
    for name in (_STDERR_LOG, _OWN_LOG):
        path = log_directory / name
        if path.exists():
            with path.open("rb") as file:
                parts.append(_described(str(path), file))
    return "\n".join(part for part in parts if part) or f"Its logs in {log_directory} are empty."


def _described(name: str, file: BinaryIO, known: str = "") -> str:
    lines = [line.decode(errors="replace").rstrip("\n") for line in deque(file, LOG_LINES)]
    if known:
        lines = [line for line in lines if known not in line]
    return "\n".join([f"The last lines of {name}:", *(f"    {line}" for line in lines)]) if lines else ""


def _make_private_folder(log_directory: Path) -> None:
    experiment = log_directory.parent
    experiment.parent.mkdir(parents=True, exist_ok=True)
    for folder in (experiment, log_directory):
        folder.mkdir(mode=0o700, exist_ok=True)


class _Log:
    """A log file, opened behind a heading of this start."""

    def __init__(self, command: ManagerCommand, name: str) -> None:
        descriptor = os.open(command.log_directory / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        self._size_before = self.file.seek(0, os.SEEK_END)
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        self.file.write(f"{'-' * 72}\nExperiment {command.experiment_id} start: {now}\n".encode())
        self._size = self.file.tell()

    def remove_idle_heading(self) -> None:
        """Removes the heading if nothing was written below it."""
        if os.fstat(self.file.fileno()).st_size == self._size:
            self.file.truncate(self._size_before)
