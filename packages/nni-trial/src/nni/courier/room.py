"""Whether there is room for another trial. Without it a trial waits: a disk may be freed."""

from __future__ import annotations

import errno
import os
import time
from typing import Callable

from nni.trial_folder import lacks_room

LEAST_FREE_BYTES = 256 * 1024
"""A trial is not started with less: it could not even report."""

TELL_AGAIN_SECONDS = 60.0


class Room:
    """Watches the disk of the trials' folders."""

    def __init__(self, directory: str, tell: Callable[[str], None]) -> None:
        """Takes it that there is room.

        Args:
            directory: A folder on that disk.
            tell: Gets what a user should know.
        """
        self._directory = directory
        self._tell = tell
        self._tell_at = 0.0

    def check(self) -> None:
        """Raises OSError if the disk is full, as writing would."""
        try:
            found = os.statvfs(self._directory)
        except OSError:
            return  # whoever uses the folder says what is wrong with it
        if found.f_bavail * found.f_frsize < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._directory)

    def explains(self, error: Exception) -> bool:
        """Returns whether something failed for want of room, and tells it, but not each time."""
        if not lacks_room(error):
            return False
        if time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_AGAIN_SECONDS
            self._tell(f"trials wait to be started until there is room on the disk: {error}")
        return True
