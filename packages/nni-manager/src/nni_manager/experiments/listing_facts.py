"""What a list of experiments shows that takes long to find out: it is found out behind, and remembered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from nni_config.disk_use import disk_use
from nni_config.experiment_folders import FolderSummary
from nni_config.experiment_summary import ExperimentSummary

from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.summary_file import summary_of
from nni_manager.storage.interface import Storage, StorageError

_SECONDS_BETWEEN_LOOKS = 60.0

Stamp = tuple[tuple[int, int], ...]
"""When the files of a record were last written, and their sizes: it differs when the record does."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out.

    Attributes:
        stamp: The stamp of the record that it was found out from; None before it was.
        looked_at: When that was, by the monotonic clock.
        size: How many bytes the folder held.
        summary: What the record says, if it was read: it is where there is no summary, or one of a manager
            that was killed.
        problem: Why it could not be read.
    """

    stamp: Stamp | None = None
    looked_at: float = 0.0
    size: int | None = None
    summary: ExperimentSummary | None = None
    problem: str = ""


_NOTHING = Facts()


class FolderFacts:
    """Finds out about folders in a thread of its own, one after another."""

    def __init__(self, open_to_read: Callable[[Path], Storage]) -> None:
        """Looks at nothing yet.

        Args:
            open_to_read: Opens the record in a file for reading only.
        """
        self._open_to_read = open_to_read
        self._known: dict[Path, Facts] = {}
        self._pending: set[Path] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="facts")
        self._closed = False

    def of(self, folder: FolderSummary, stamp: Stamp) -> Facts:
        """Returns what is known of a folder, and has more found out if that is old.

        Args:
            folder: The folder.
            stamp: The stamp of its record.
        """
        known = self._known.get(folder.path, _NOTHING)
        is_old = known.size is None or known.stamp != stamp
        is_due = known.size is None or time.monotonic() - known.looked_at >= _SECONDS_BETWEEN_LOOKS
        if is_old and is_due and folder.path not in self._pending and not self._closed:
            self._pending.add(folder.path)
            self._thread.submit(self._look, folder, stamp)
        return known

    def note(
        self, folder: FolderSummary, stamp: Stamp, summary: ExperimentSummary | None, problem: str
    ) -> None:
        """Takes note of what a record says that was read elsewhere."""
        known = self._known.get(folder.path, _NOTHING)
        self._known[folder.path] = replace(known, stamp=stamp, summary=summary, problem=problem)

    def close(self) -> None:
        """Stops looking."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _look(self, folder: FolderSummary, stamp: Stamp) -> None:
        try:
            size = disk_use(folder.path, lambda: not self._closed)
            summary, problem = None, ""
            if folder.has_record and (folder.summary is None or folder.is_interrupted):
                summary, problem = record_summary(folder, self._open_to_read)
            if not self._closed:
                self._known[folder.path] = Facts(stamp, time.monotonic(), size, summary, problem)
        finally:
            self._pending.discard(folder.path)


def record_summary(
    folder: FolderSummary, open_to_read: Callable[[Path], Storage]
) -> tuple[ExperimentSummary | None, str]:
    """Returns the summary of an experiment by its record, or None and why that cannot be read.

    Args:
        folder: Its folder.
        open_to_read: Opens the record in a file for reading only.
    """
    database = ExperimentFolder(folder.path).database
    try:
        storage = open_to_read(database)
        try:
            record = storage.experiment()
            if record is None:
                return None, f"{database} holds no experiment"
            return summary_of(record, storage), ""
        finally:
            storage.close()
    except StorageError as error:
        return None, str(error)


def stamp_of(path: Path) -> Stamp:
    """Returns the stamp of the record in an experiment's folder."""
    database = str(ExperimentFolder(path).database)
    found = []
    for file in (database, f"{database}-wal"):
        try:
            status = os.stat(file)  # noqa: PTH116  a thousand times for one list
        except OSError:
            continue
        found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)
