"""When a machine was reached last, which the next manager has to know if it cannot reach it."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

logger = logging.getLogger(__name__)


class LastSeen:
    """A file whose time of change is that."""

    def __init__(self, experiment_directory: Path, host_name: str) -> None:
        """Reads and writes nothing yet.

        Args:
            experiment_directory: The experiment's folder here.
            host_name: The host.
        """
        name = hashlib.sha256(host_name.encode()).hexdigest()[:16]
        self._path = experiment_directory / "hosts" / f"{name}.seen"
        self._host_name = host_name

    def note(self) -> None:
        """Notes that the machine was reached now."""
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._path.touch(mode=0o600)
        except OSError as error:
            logger.warning("%s: when it was reached last cannot be noted: %s", self._host_name, error)

    def when(self) -> float:
        """Returns that time, in seconds since the epoch; the present one if nothing is known."""
        now = time.time()
        try:
            return min(now, self._path.stat().st_mtime)
        except OSError:
            return now
