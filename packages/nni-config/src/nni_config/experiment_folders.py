"""Finds experiments by looking at their folders. There is no index that could be lost."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN
from nni_config.experiment_summary import ENDED_STATUSES, ExperimentSummary, read_summary
from nni_config.local_state import ManagerRecord, running_managers
from nni_config.remembered_directories import experiments_directories, remember_experiments_directory

__all__ = [
    "FolderKind",
    "FolderSummary",
    "by_age",
    "experiments_directories",
    "find_experiment",
    "find_experiments",
    "remember_experiments_directory",
    "summary_of_folder",
]

INTERRUPTED = "its manager has gone; resume it"
"""Why an experiment is STOPPED that nobody stopped."""

_logger = logging.getLogger(__name__)
_RECORD = Path("db") / "experiment.sqlite"
_OLD_RECORD = Path("db") / "nni.sqlite"
_TRACES = (Path("log") / "nnimanager.log", Path("log") / "nnictl_stderr.log")


class FolderKind(str, Enum):
    """What made a folder.

    Attributes:
        EXPERIMENT: This software.
        OLD: Microsoft's NNI, version 2 or 3. It can be looked at and exported, not resumed.
    """

    EXPERIMENT = "experiment"
    OLD = "nni"


@dataclass(frozen=True, slots=True)
class FolderSummary:
    """An experiment as its folder shows it, without reading its record.

    Attributes:
        experiment_id: Its id, the folder's name.
        path: Its folder.
        kind: What made it.
        has_record: Whether there is a record in it. A start that failed leaves none, only logs.
        summary: What its manager has written down; None in folders of NNI and of first versions.
        manager: The manager that runs it at this moment; None when none does.
    """

    experiment_id: str
    path: Path
    kind: FolderKind
    has_record: bool
    summary: ExperimentSummary | None = None
    manager: ManagerRecord | None = None

    @property
    def directory(self) -> Path:
        """The folder that holds the experiment's folder."""
        return self.path.parent

    @property
    def is_running(self) -> bool:
        """Whether a manager runs it."""
        return self.manager is not None

    @property
    def is_interrupted(self) -> bool:
        """Whether it ended without being ended: its manager was killed, or its machine went down."""
        if self.manager is not None or self.summary is None:
            return False
        return self.summary.status not in ENDED_STATUSES and self.summary.status != "INITIALIZED"

    @property
    def status(self) -> str | None:
        """Its status at this moment, None where only the record has it."""
        if self.summary is None:
            return None
        return "STOPPED" if self.is_interrupted else self.summary.status

    @property
    def status_text(self) -> str:
        """Its status with what a person is to know of it, "UNKNOWN" where only the record has it."""
        if self.is_interrupted:
            return f"STOPPED ({INTERRUPTED})"
        return self.status or "UNKNOWN"


def find_experiments(directories: Iterable[Path] | None = None) -> list[FolderSummary]:
    """Returns the experiments in some folders, the oldest first.

    Args:
        directories: The folders that hold experiments' folders; None for all that were ever used.
    """
    where = _directories(directories)
    managers = _managers_by_folder(where)
    found = []
    for directory in where:
        real = _real(directory)
        for path in _subfolders(directory):
            folder = summary_of_folder(path, managers.get(real / path.name))
            if folder is not None:
                found.append(folder)
    return sorted(found, key=by_age)


def find_experiment(experiment_id: str, directories: Iterable[Path] | None = None) -> FolderSummary | None:
    """Returns the experiment of an id, None when there is none; the first folder that has it counts.

    Args:
        experiment_id: The id, in full.
        directories: Where to look, the preferred folder first; None for all that were ever used.
    """
    if not EXPERIMENT_ID_PATTERN.fullmatch(experiment_id):
        return None
    where = _directories(directories)
    paths = [path for directory in where if _is_folder(path := directory / experiment_id)]
    managers = _managers_by_folder(where) if paths else {}
    summaries = (summary_of_folder(path, managers.get(_real(path))) for path in paths)
    found = [folder for folder in summaries if folder is not None]
    with_record = (folder for folder in found if folder.has_record)
    return next(with_record, found[0] if found else None)


def _directories(directories: Iterable[Path] | None) -> list[Path]:
    return experiments_directories() if directories is None else [Path(each) for each in directories]


def _managers_by_folder(directories: list[Path]) -> dict[Path, ManagerRecord]:
    return {_real(Path(record.directory)): record for record in running_managers(directories)}


def _subfolders(directory: Path) -> Iterator[Path]:
    try:
        paths = sorted(directory.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        _logger.warning("The folder of experiments %s cannot be read: %s", directory, error)
        return
    for path in paths:
        if EXPERIMENT_ID_PATTERN.fullmatch(path.name) and _is_folder(path):
            yield path


def summary_of_folder(path: Path, manager: ManagerRecord | None) -> FolderSummary | None:
    """Returns what a folder shows of the experiment in it, None when there is none in it.

    Args:
        path: The folder.
        manager: The manager that runs the experiment at this moment.
    """
    name = path.name
    if _exists(path / _RECORD):
        return FolderSummary(name, path, FolderKind.EXPERIMENT, True, read_summary(path), manager)
    if _exists(path / _OLD_RECORD):
        return FolderSummary(name, path, FolderKind.OLD, True)
    if manager is not None or any(_exists(path / trace) for trace in _TRACES):
        return FolderSummary(name, path, FolderKind.EXPERIMENT, False, None, manager)
    return None


def by_age(folder: FolderSummary) -> tuple[float, str]:
    """Sorts experiments by when they were created, the oldest first."""
    if folder.summary is not None:
        return folder.summary.created_at, folder.experiment_id
    try:
        return folder.path.stat().st_mtime, folder.experiment_id
    except OSError:
        return 0.0, folder.experiment_id


def _is_folder(path: Path) -> bool:
    # Not `_latest`, a link to the newest one.
    try:
        return path.is_dir() and not path.is_symlink()
    except OSError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except OSError:
        return path
