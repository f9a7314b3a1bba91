"""How the jobs of an experiment are named, and its folder in a storage.

    nni_<experiment id>_<trial id>_<attempt>_<mark>     the job of one attempt
    nni_<experiment id>_job_<number>_<mark>             a job of a pool
    nni_<experiment id>_job-<service>_<number>_<mark>   the same of the second and later training services
    nni/<experiment id>/<mark>                          the folder

An experiment that was made without a mark has names without one. Names are read from their end: an id may
have underscores in it, the other parts have none, and a mark begins with a letter, which a number does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nni_manager.training.jobs.experiment_mark import PATTERN, read_mark
from nni_manager.training.jobs.platform import job_prefix

_POOLED = "job"
"""Stands in names where the trial is otherwise; trials' ids are five letters or digits."""

_TRIAL_AND_ATTEMPT = r"[^_]+_\d+"


class JobNames:
    """The names of one experiment's jobs."""

    def __init__(self, experiment_id: str, mark: str = "", service: int = 0) -> None:
        """Names the experiment.

        Args:
            experiment_id: Its id.
            mark: What tells it from others of this id, "" for one that was made without.
            service: Which of its training services it is: each numbers the jobs of its own pool.
        """
        self._label = f"{_POOLED}-{service}" if service else _POOLED
        self._prefix = job_prefix(experiment_id)
        self._end = mark and f"_{mark}"
        self._own = re.compile(f"{re.escape(self._prefix)}{_TRIAL_AND_ATTEMPT}{self._end}")
        self._pooled = re.compile(rf"{re.escape(self._prefix)}{_POOLED}(?:-\d+)?_(\d+){self._end}")

    def of_attempt(self, trial_id: str, attempt: int) -> str:
        """Returns the name of the job of one attempt of a trial."""
        return f"{self._prefix}{trial_id}_{attempt}{self._end}"

    def of_pool(self, number: int) -> str:
        """Returns the name of a job of the pool."""
        return self.of_attempt(self._label, number)

    def has(self, name: str) -> bool:
        """Returns whether a job is one of this experiment."""
        return self._own.fullmatch(name) is not None

    def is_pooled(self, name: str) -> bool:
        """Returns whether a job is one of a pool of this experiment."""
        return self._pooled.fullmatch(name) is not None

    def next_number(self, names: Iterable[str]) -> int:
        """Returns a number that none of these jobs of the pool has."""
        found = (self._pooled.fullmatch(name) for name in names)
        return 1 + max((int(match[1]) for match in found if match), default=-1)


def has_id(experiment_id: str, name: str) -> bool:
    """Returns whether a job is of any experiment with an id, whatever its mark."""
    pattern = f"{re.escape(job_prefix(experiment_id))}{_TRIAL_AND_ATTEMPT}(_{PATTERN})?"
    return re.fullmatch(pattern, name) is not None


def storage_folder(experiment_id: str, folder: Path) -> str:
    """Returns the path below `nni` in a storage where no other experiment puts its files.

    Args:
        experiment_id: The experiment.
        folder: Its folder here.

    Raises:
        TrainingServiceError: The experiment's mark cannot be read.
    """
    mark = read_mark(folder)
    return f"{experiment_id}/{mark}" if mark else experiment_id
