"""A helper that lost its manager without noticing, since a connection broke silently, gives way to the next.

Each notes who it is in a file of a folder that belongs to one machine; the next one of its kind ends it.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Optional, Tuple

from nni import processes
from nni.trial_folder import read_json, write_json

_END_SECONDS = 5.0
_LOOK_SECONDS = 0.01


def take_over(note: str) -> None:
    """Ends the process that is noted in a file, if it runs still, and notes this one.

    Raises:
        OSError: It cannot be noted.
    """
    end_noted(note)
    note_process(note, os.getpid())


def note_process(note: str, pid: int) -> None:
    """Notes a process in a file.

    Raises:
        OSError: It cannot be noted.
    """
    start_time, boot_id = processes.start_time(pid), processes.boot_id()
    write_json(note, {"pid": pid, "start_time": start_time, "boot_id": boot_id})


def lives(note: str) -> bool:
    """Returns whether the process that is noted in a file runs."""
    pid, begun = _noted(note)
    return pid != 0 and processes.start_time(pid) == begun


def end_noted(note: str) -> None:
    """Ends the process that is noted in a file, if it runs still; itself it does not end."""
    pid, begun = _noted(note)
    if pid in (0, os.getpid()):
        return
    give_up = time.monotonic() + _END_SECONDS
    number = signal.SIGTERM
    while processes.start_time(pid) == begun and time.monotonic() < give_up + _END_SECONDS:
        if time.monotonic() >= give_up:
            number = signal.SIGKILL
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(_LOOK_SECONDS)


def _noted(note: str) -> Tuple[int, Optional[str]]:
    """Returns the process that is noted in a file, 0 if there is none that could run."""
    try:
        record = read_json(note) or {}
        pid, begun, boot = int(record.get("pid", 0)), record.get("start_time"), record.get("boot_id")
    except (OSError, ValueError, TypeError):
        return 0, None
    return (0, None) if begun is None or boot != processes.boot_id() else (pid, begun)
