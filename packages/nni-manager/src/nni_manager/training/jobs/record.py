"""Which trial was given to which job of a pool, as a file that outlives the manager.

`jobs.jsonl` in the experiment's folder has a line for each, written before the job is told:

    {"trial": "abcde", "attempt": 0, "job": "nni_x2k9q1ab_job_0"}

An attempt that is not in it was never given to a job.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from nni_manager.training.jobs.job import Key

logger = logging.getLogger(__name__)

FILE_NAME = "jobs.jsonl"


class JobRecord:
    """The file, read once and added to. A later line about an attempt counts."""

    def __init__(self, experiment_directory: Path) -> None:
        """Makes a record that is not read yet.

        Args:
            experiment_directory: The experiment's folder.
        """
        self._path = experiment_directory / FILE_NAME
        self._is_torn = False
        self._jobs: dict[Key, str] = {}

    def open(self) -> None:
        """Reads the file.

        Raises:
            OSError: It cannot be read.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        self._is_torn = bool(content) and not content.endswith(b"\n")
        for number, line in enumerate(content.split(b"\n"), 1):
            if not line:
                continue
            try:
                values = json.loads(line)
                self._jobs[str(values["trial"]), int(values["attempt"])] = str(values["job"])
            except (ValueError, KeyError, TypeError):
                # Torn where the manager or the disk gave up while it was written: nothing was ordered.
                logger.warning("%s: line %d is not whole and is left out", self._path, number)

    def add(self, jobs: Mapping[Key, str]) -> None:
        """Notes the jobs of attempts, safe from a power failure when it returns; it blocks.

        Raises:
            OSError: They could not be noted.
        """
        lines = [
            json.dumps({"trial": trial_id, "attempt": attempt, "job": job}).encode() + b"\n"
            for (trial_id, attempt), job in jobs.items()
        ]
        data = b"\n" * self._is_torn + b"".join(lines)
        self._is_torn = True
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._is_torn = False
        self._jobs.update(jobs)

    def job_of(self, key: Key) -> str | None:
        """Returns the job that an attempt was given to last."""
        return self._jobs.get(key)

    def jobs(self) -> set[str]:
        """Returns all jobs that are noted."""
        return set(self._jobs.values())
