"""The folder of an experiment: what is in it and how it is made."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from nni_config.algorithm_instances import FOLDER

from nni_manager.experiments.errors import (
    ExperimentAlreadyExistsError,
    ExperimentNotFoundError,
    InvalidArgumentError,
)
from nni_manager.training.jobs.experiment_mark import make_mark

_PRIVATE = 0o700


@dataclass(frozen=True, slots=True)
class ExperimentFolder:
    """Where everything of one experiment is.

    Attributes:
        path: The folder itself.
    """

    path: Path

    @property
    def database(self) -> Path:
        """The record."""
        return self.path / "db" / "experiment.sqlite"

    @property
    def log_directory(self) -> Path:
        """The logs."""
        return self.path / "log"

    @property
    def checkpoint_directory(self) -> Path:
        """Where algorithms keep files."""
        return self.path / "checkpoint"

    @property
    def trials_directory(self) -> Path:
        """One folder for each trial."""
        return self.path / "trials"

    @property
    def code_directory(self) -> Path:
        """The copy of the code that trials run in, with snapshot_code."""
        return self.path / "code"

    @property
    def classes_directory(self) -> Path:
        """Classes and pickled instances of a script or a notebook that are tuner or assessor."""
        return self.path / FOLDER

    def exists(self) -> bool:
        """Whether there is an experiment in it."""
        try:
            return self.database.exists()
        except OSError:
            return True  # it cannot be looked at, which is no sign that it is gone


def check_owner(folder: ExperimentFolder, recorded_id: str) -> None:
    """Checks that a folder has the name of the experiment that is recorded in it.

    Raises:
        ExperimentNotFoundError: It was renamed, or is a copy; the text says what to do.
    """
    if recorded_id != folder.path.name:
        raise ExperimentNotFoundError(
            f"the record in {folder.path} is of experiment {recorded_id!r}, and the folder of an experiment "
            f"has its id as its name: rename it to {recorded_id!r}, or move it where no other has that name"
        )


def make_folder(folder: ExperimentFolder) -> None:
    """Makes the folder of a new experiment, for its owner only, with a mark of its own.

    `_latest` beside it points to it.

    Raises:
        ExperimentAlreadyExistsError: There is an experiment in it.
        InvalidArgumentError: It cannot be made; the text says why.
    """
    if folder.exists():
        raise ExperimentAlreadyExistsError(
            f"there is an experiment in {folder.path} already; resume it, or give the new one another id"
        )
    try:
        folder.path.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        folder.path.chmod(_PRIVATE)
        for directory in (
            folder.database.parent,
            folder.log_directory,
            folder.checkpoint_directory,
            folder.trials_directory,
        ):
            directory.mkdir(exist_ok=True, mode=_PRIVATE)
        make_mark(folder.path)
    except OSError as error:
        raise InvalidArgumentError(f"the experiment's folder cannot be made: {error}") from error
    _point_latest_to(folder.path)


def _point_latest_to(path: Path) -> None:
    """Replaces the link in one step. A folder where links cannot be made goes without."""
    temporary = path.parent / f"._latest-{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        temporary.symlink_to(path.name)
        os.replace(temporary, path.parent / "_latest")  # noqa: PTH105  Path.replace follows no link either
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
