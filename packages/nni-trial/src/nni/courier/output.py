"""The last lines of what a trial wrote to stderr."""

from __future__ import annotations

import os

TAIL_LINES = 20
"""How many lines are shown of a trial that failed."""

TAIL_BYTES = 16 << 10
"""How much is read for them."""


def stderr_tail(path: str, offset: int) -> str:
    """Returns the last lines of a file, in which any bytes may be.

    Args:
        path: The file; one that cannot be read has no lines.
        offset: What lies before it is of an earlier attempt.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            begin = max(offset, size - TAIL_BYTES)
            file.seek(begin)
            data = file.read(TAIL_BYTES)
    except OSError:
        return ""
    lines = data.decode("utf-8", "replace").rstrip("\n").split("\n")
    # Of a progress bar, which goes back by "\r" and writes again, the last state is enough.
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines[-TAIL_LINES:])
