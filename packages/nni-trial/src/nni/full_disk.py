"""Finds the full disk behind a failure that says nothing of it."""

from __future__ import annotations

import os
from typing import Iterable, Set

LEAST_FREE_BYTES = 64 * 1024
"""A disk with less is full: what failed may have given back a little of what it took."""


def full_disk(paths: Iterable[str]) -> str:
    """Returns which disk is full, in words, "" if none is.

    Args:
        paths: Files or folders on the disks to look at; what is not there is left out.
    """
    seen: Set[int] = set()
    for path in paths:
        try:
            device = os.stat(path).st_dev
            if device in seen:
                continue
            seen.add(device)
            found = os.statvfs(path)
        except OSError:
            continue
        host = os.uname().nodename
        free = found.f_bavail * found.f_frsize
        # File systems without a fixed number of blocks or files say 0 of 0.
        if found.f_blocks and free < LEAST_FREE_BYTES:
            return f"the disk of {host} is full ({free} B free at {path})"
        if found.f_files and not found.f_favail:
            return f"the disk of {host} has no room for another file (0 inodes free at {path})"
    return ""
