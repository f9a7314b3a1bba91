"""Whether a process noted earlier is still the same one."""

from __future__ import annotations

import sys
from pathlib import Path

_TOLERANCE = 0.001


def process_start_time(pid: int) -> float | None:
    """Returns when a process started, or None if it does not run; one that waits to be reaped does not.

    On Linux these are seconds since the machine started, which changes of the clock leave alone. Elsewhere
    they are seconds since 1970. Only use the number to compare.
    """
    if sys.platform == "linux":
        return _start_time_on_linux(pid)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def is_same_process(pid: int, start_time: float) -> bool:
    """Returns whether the process that had this id and start time still runs."""
    found = process_start_time(pid)
    return found is not None and abs(found - start_time) < _TOLERANCE


def _start_time_on_linux(pid: int) -> float | None:
    import os

    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program, in parentheses, may hold blanks and parentheses itself.
    fields = text[text.rindex(")") + 2 :].split()
    state, ticks = fields[0], int(fields[19])
    return None if state in "ZX" else ticks / os.sysconf("SC_CLK_TCK")
