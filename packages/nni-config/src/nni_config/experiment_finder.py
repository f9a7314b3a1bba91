"""Finds the experiments of one folder again and again; reads only what has changed since the last time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nni_config.experiment_folders import FolderKind, FolderSummary, by_age, summary_of_folder
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN
from nni_config.experiment_summary import SUMMARY_NAME
from nni_config.local_state import RECORD_NAME, ManagerRecord, manager_of, running_managers

_logger = logging.getLogger(__name__)
_FILES = (RECORD_NAME, SUMMARY_NAME, "db/experiment.sqlite", "db/experiment.sqlite-wal")

_FileStamp = tuple[int, int, int] | None
"""When a file was last written, its size and its number; None when there is none."""


class _Known(NamedTuple):
    stamps: tuple[_FileStamp, ...]
    folder: FolderSummary


class ExperimentFinder:
    """Finds the experiments in the subfolders of a folder.

    A thousand experiments at rest cost four looks at the times of files each, and nothing is read.
    """

    def __init__(self, directory: Path) -> None:
        """Looks at nothing yet.

        Args:
            directory: The folder that holds experiments' folders.
        """
        self._directory = directory
        self._known: dict[str, _Known] = {}
        self._is_readable = True

    def experiments(self) -> list[FolderSummary]:
        """Returns the experiments, the oldest first; an unchanged one is the same object as before."""
        managers = {record.directory: record for record in running_managers([])}
        real = os.path.realpath(self._directory)
        known, self._known = self._known, {}
        found = []
        for name in self._names():
            path = os.path.join(self._directory, name)  # noqa: PTH118  a thousand times for one list
            stamps = tuple(_stamp(f"{path}/{file}") for file in _FILES)
            before = known.get(name)
            manager = managers.get(path) or managers.get(f"{real}/{name}")
            if manager is None and stamps[0] is not None:
                manager = _manager(Path(path), stamps[0], before)
            folder = _unchanged(before, stamps, manager) or summary_of_folder(Path(path), manager)
            if folder is not None:
                self._known[name] = _Known(stamps, folder)
                found.append(folder)
        return sorted(found, key=by_age)

    def _names(self) -> Iterator[str]:
        try:
            with os.scandir(self._directory) as entries:
                # Not `_latest`, a link to the newest one.
                yield from [
                    entry.name
                    for entry in entries
                    if EXPERIMENT_ID_PATTERN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
                ]
            self._is_readable = True
        except FileNotFoundError:
            return
        except OSError as error:
            if self._is_readable:
                _logger.warning("The folder of experiments %s cannot be read: %s", self._directory, error)
            self._is_readable = False


def _unchanged(
    before: _Known | None, stamps: tuple[_FileStamp, ...], manager: ManagerRecord | None
) -> FolderSummary | None:
    if before is None or before.stamps[1:] != stamps[1:] or before.folder.manager != manager:
        return None
    # Without a record of ours, other files than those that are looked at say what a folder is.
    is_ours = before.folder.has_record and before.folder.kind is FolderKind.EXPERIMENT
    return before.folder if is_ours else None


def _manager(path: Path, stamp: _FileStamp, before: _Known | None) -> ManagerRecord | None:
    if before is not None and before.stamps[0] == stamp and before.folder.manager is None:
        return None  # it cannot be read, which was said
    return manager_of(path)


def _stamp(path: str) -> _FileStamp:
    try:
        status = os.stat(path)  # noqa: PTH116  a thousand times for one list
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
