"""A helper that lost its manager without noticing, since a connection broke silently, gives way to the next.

Each notes who it is in a file of a folder that belongs to one machine; the next one of its kind ends it.
"""

from __future__ import annotations

import os
import signal
import time

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
    own = {
        "pid": os.getpid(),
        "start_time": processes.start_time(os.getpid()),
        "boot_id": processes.boot_id(),
    }
    write_json(note, own)


def end_noted(note: str) -> None:
    """Ends the process that is noted in a file, if it runs still; itself it does not end."""
    try:
        record = read_json(note) or {}
        pid, begun, boot = int(record.get("pid", 0)), record.get("start_time"), record.get("boot_id")
    except (OSError, ValueError, TypeError):
        return
    if pid in (0, os.getpid()) or begun is None or boot != processes.boot_id():
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
