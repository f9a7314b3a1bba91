"""The experiments of a folder as a list shows them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nni_config.disk_use import disk_use
from nni_config.experiment_folders import FolderKind, FolderSummary, find_experiments
from nni_config.experiment_summary import ExperimentSummary

from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.summary_file import summary_of
from nni_manager.storage.interface import Storage, StorageError

_SQLITE = b"SQLite format 3\0"
_SECONDS_BETWEEN_SIZES = 60.0


@dataclass(frozen=True, slots=True)
class ListedExperiment:
    """An experiment of the list.

    Attributes:
        folder: What its folder shows.
        summary: What is known of it; None when its record cannot be read.
        size: How many bytes its folder holds; None when that is not known yet.
        problem: Why its record cannot be read, "" when it can.
        own: Whether it is the one that this manager was started for.
    """

    folder: FolderSummary
    summary: ExperimentSummary | None
    size: int | None
    problem: str
    own: bool


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: object
    summary: ExperimentSummary | None
    problem: str


class ExperimentList:
    """Makes the list, and remembers what took long to find out."""

    def __init__(
        self, experiments_directory: Path, own_id: str, open_to_read: Callable[[Path], Storage]
    ) -> None:
        """Looks at nothing yet.

        Args:
            experiments_directory: Where the folders of experiments are.
            own_id: The experiment that this manager was started for.
            open_to_read: Opens the record in a file for reading only.
        """
        self._directory = experiments_directory
        self._own_id = own_id
        self._open_to_read = open_to_read
        self._read: dict[Path, _Read] = {}
        self._lock = threading.Lock()
        self._sizes = FolderSizes()

    async def experiments(self) -> list[ListedExperiment]:
        """Returns the experiments, the newest first."""
        return await asyncio.to_thread(self._experiments)

    def close(self) -> None:
        """Ends what goes on behind."""
        self._sizes.close()

    def _experiments(self) -> list[ListedExperiment]:
        with self._lock:  # one list at a time reads the records
            return [self._listed(folder) for folder in reversed(find_experiments([self._directory]))]

    def _listed(self, folder: FolderSummary) -> ListedExperiment:
        summary, problem = self._summary(folder)
        stamp = _stamp(ExperimentFolder(folder.path).database)
        size = self._sizes.size(folder.path, stamp)
        return ListedExperiment(folder, summary, size, problem, folder.experiment_id == self._own_id)

    def _summary(self, folder: FolderSummary) -> tuple[ExperimentSummary | None, str]:
        if folder.kind is FolderKind.OLD:
            return None, f"it was recorded by Microsoft's NNI; see: nnictl view {folder.experiment_id}"
        if not folder.has_record:
            return None, "" if folder.is_running else f"it never started; its log is in {folder.path / 'log'}"
        database = ExperimentFolder(folder.path).database
        problem = _problem(database)
        if problem:
            return folder.summary, problem
        if folder.summary is not None and not folder.is_interrupted:
            return folder.summary, ""
        stamp = _stamp(database)
        known = self._read.get(folder.path)
        if known is None or known.stamp != stamp:
            known = self._read[folder.path] = _Read(stamp, *self._from_record(database))
        return known.summary or folder.summary, known.problem

    def _from_record(self, database: Path) -> tuple[ExperimentSummary | None, str]:
        """Reads what the summary lacks that a killed manager, or one of an earlier version, left."""
        try:
            storage = self._open_to_read(database)
            try:
                record = storage.experiment()
                if record is None:
                    return None, f"{database} holds no experiment"
                return summary_of(record, storage), ""
            finally:
                storage.close()
        except StorageError as error:
            return None, str(error)


class FolderSizes:
    """Measures folders in a thread of its own, one after another, and remembers what they hold."""

    def __init__(self) -> None:
        """Measures nothing yet."""
        self._known: dict[Path, tuple[object, float, int]] = {}
        self._pending: set[Path] = set()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="sizes")
        self._closed = False

    def size(self, folder: Path, stamp: object) -> int | None:
        """Returns what a folder held when it was last measured, None when it was not; it may begin to.

        Args:
            folder: The folder.
            stamp: Differs when it is to be measured again.
        """
        known = self._known.get(folder)
        is_old = known is None or (
            known[0] != stamp and time.monotonic() - known[1] >= _SECONDS_BETWEEN_SIZES
        )
        if is_old and folder not in self._pending and not self._closed:
            self._pending.add(folder)
            self._threads.submit(self._measure, folder, stamp)
        return None if known is None else known[2]

    def close(self) -> None:
        """Stops measuring."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _measure(self, folder: Path, stamp: object) -> None:
        held = disk_use(folder, lambda: not self._closed)
        if not self._closed:
            self._known[folder] = (stamp, time.monotonic(), held)
        self._pending.discard(folder)


def _problem(database: Path) -> str:
    """Returns why a file cannot be a record; whether all of it can be read is not tried."""
    try:
        with database.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                return ""
    except OSError as error:
        return f"{database}: cannot read the record: {error.strerror}"
    return f"{database}: cannot read the record: it is damaged, or no record at all"


def _stamp(database: Path) -> object:
    try:
        files = (database, database.with_name(f"{database.name}-wal"))
        return tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists())
    except OSError:
        return None
