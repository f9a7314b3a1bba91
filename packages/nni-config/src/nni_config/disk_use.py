"""How much a folder holds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def disk_use(folder: Path, is_wanted: Callable[[], bool] = lambda: True) -> int:
    """Returns how many bytes on disk a folder takes. Files that vanish meanwhile count as none.

    Args:
        folder: The folder.
        is_wanted: Asked before each folder; once it says no, what was counted until then is returned.
    """
    total = 0
    pending: list[str | Path] = [folder]
    while pending and is_wanted():
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
        except OSError:
            continue
    return total
