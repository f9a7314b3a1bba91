"""The folder of an experiment that may come to nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nni_client.experiment_log import LOGGER


class NewFolder:
    """The folder of an experiment about to be started."""

    def __init__(self, path: Path) -> None:
        """Notes whether the folder is there already.

        Args:
            path: The folder. It has not been made for this start yet.
        """
        self._path = path
        self._was_there = path.exists()

    def remove(self) -> None:
        """Removes it, unless it was there before, has a record, or another manager runs in it."""
        import fcntl  # not on Windows, where the package is imported too

        if self._was_there or not self._path.is_dir():
            return
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not (self._path / "db").exists():
                    shutil.rmtree(self._path)
            finally:
                os.close(descriptor)
        except BlockingIOError:
            return
        except OSError as error:
            LOGGER.warning("The folder %s of a start without result cannot be removed: %s", self._path, error)
