"""Attempts that were given up while their machine could not be reached, and may run there still."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

from nni_config.private_files import write_private_file

logger = logging.getLogger(__name__)


class AbandonedAttempts:
    """A note of them that outlives the manager."""

    def __init__(self, experiment_directory: Path, host_name: str) -> None:
        """Reads the note.

        Args:
            experiment_directory: The experiment's folder here.
            host_name: The host.
        """
        name = hashlib.sha256(host_name.encode()).hexdigest()[:16]
        self._path = experiment_directory / "hosts" / f"{name}.json"
        self._host_name = host_name
        self.attempts: set[tuple[str, int]] = self._read()

    def add(self, trial_id: str, attempt: int) -> None:
        """Notes one."""
        self.attempts.add((trial_id, attempt))
        self._write()

    def discard(self, trial_id: str, attempt: int) -> None:
        """Says that one runs no more."""
        if (trial_id, attempt) in self.attempts:
            self.attempts.remove((trial_id, attempt))
            self._write()

    def _read(self) -> set[tuple[str, int]]:
        try:
            note = json.loads(self._path.read_text(encoding="utf-8"))
            return {(str(trial_id), int(attempt)) for trial_id, attempt in note["abandoned"]}
        except FileNotFoundError:
            return set()
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.error("%s: which trials were given up cannot be read: %s", self._host_name, error)
            return set()

    def _write(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            note = {"host": self._host_name, "abandoned": sorted(self.attempts)}
            write_private_file(self._path, json.dumps(note))
        except OSError as error:
            logger.error("%s: which trials were given up cannot be noted: %s", self._host_name, error)
