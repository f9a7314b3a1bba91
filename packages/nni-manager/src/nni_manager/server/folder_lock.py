"""One manager at a time has the folder of an experiment."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nni_config.local_state import ManagerRecord, running_managers

from nni_manager.server.problems import StartProblem

_SECONDS_FOR_THE_DEAD = 5.0
"""How long the system may take to let go of what a killed manager held."""

_PAUSE_SECONDS = 0.02


@contextmanager
def folder_lock(path: Path) -> Iterator[None]:
    """Holds a folder for this process.

    The system gives it back when the process ends, however that happens: the descriptor is closed in every
    program that we start, so neither a courier nor a trial keeps it.

    Raises:
        StartProblem: Another manager has it; the text says which one.
        OSError: The folder cannot be opened.
    """
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(folder, path)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, path: Path) -> None:
    deadline = time.monotonic() + _SECONDS_FOR_THE_DEAD
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            holder = _manager_of(path)
            if holder is not None or time.monotonic() >= deadline:
                raise StartProblem(_refusal(path.name, holder)) from error
        time.sleep(_PAUSE_SECONDS)


def _manager_of(path: Path) -> ManagerRecord | None:
    found = (record for record in running_managers([path.parent]) if record.directory == str(path))
    return next(found, None)


def _refusal(experiment_id: str, holder: ManagerRecord | None) -> str:
    who = "another manager, which is just starting or ending"
    if holder is not None:
        who = f"another manager already (process {holder.pid}, port {holder.port})"
    return (
        f"experiment {experiment_id} is run by {who}; connect to that one, or end it with: "
        f"nnictl stop {experiment_id}"
    )
