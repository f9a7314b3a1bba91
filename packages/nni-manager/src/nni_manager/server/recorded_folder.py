"""What there is to resume: tells a record of an experiment from everything else that may be there."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.server.problems import StartProblem

_OLD_DATABASE = "nni.sqlite"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LEAST_FREE_BYTES = 256 * 1024
"""Less than this is taken by the log of the record alone."""


def check_recorded_folder(path: Path) -> None:
    """Refuses a folder without the record of an experiment; changes nothing in it.

    Raises:
        StartProblem: There is nothing to be resumed; the text says what is there and what can be done.
    """
    experiment_id, directory = path.name, path.parent
    database = ExperimentFolder(path).database
    if not path.is_dir():
        raise StartProblem(
            f"there is no experiment {experiment_id!r} in {directory}; nnictl experiment list --all shows "
            "those that there are"
        )
    if not database.exists():
        if (database.parent / _OLD_DATABASE).exists():
            raise StartProblem(
                f"{experiment_id} is an experiment of NNI 2.x or 3.x, which can be read and not resumed; "
                f"what it found is given to a new experiment by: nnictl experiment import NEW_ID --from "
                f"{experiment_id}"
            )
        raise StartProblem(
            f"there is no record of an experiment in {path}: {database} is missing, and without it nothing "
            "can be resumed"
        )
    if not os.access(database, os.W_OK) or not os.access(database.parent, os.W_OK):
        raise StartProblem(
            f"experiment {experiment_id} cannot be resumed: its folder {path} cannot be written to. Allow "
            f"that, or copy the folder elsewhere; to look at it: nnictl view {experiment_id}"
        )


def unusable(path: Path, error: OSError) -> StartProblem:
    """Returns what a user is told when an experiment's folder cannot be used."""
    if error.errno in _FULL:
        return StartProblem(full_disk_text(path))
    return StartProblem(f"the experiment's folder {path} cannot be used: {error}")


def has_no_space(path: Path) -> bool:
    """Returns whether the disk of a folder is full."""
    try:
        return shutil.disk_usage(path).free < _LEAST_FREE_BYTES
    except OSError:
        return False


def full_disk_text(path: Path) -> str:
    """Returns what a user is told when the disk of a folder is full."""
    return f"the disk of {path} is full; nothing was lost: make room there and try again"
