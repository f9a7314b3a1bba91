"""The experiments of a folder as a list shows them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nni_config.experiment_finder import ExperimentFinder
from nni_config.experiment_folders import FolderKind, FolderSummary
from nni_config.experiment_summary import ExperimentSummary

from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.listing_facts import Facts, FolderFacts, Stamp, record_summary, stamp_of
from nni_manager.storage.interface import Storage

_SQLITE = b"SQLite format 3\0"


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


class _Known(NamedTuple):
    stamp: Stamp
    facts: Facts
    listed: ListedExperiment


class ExperimentList:
    """Makes the list, and remembers what takes long to find out.

    What it says of an experiment that has not changed is the same object as before.
    """

    def __init__(
        self, experiments_directory: Path, own_id: str, open_to_read: Callable[[Path], Storage]
    ) -> None:
        """Looks at nothing yet.

        Args:
            experiments_directory: Where the folders of experiments are.
            own_id: The experiment that this manager was started for.
            open_to_read: Opens the record in a file for reading only.
        """
        self._finder = ExperimentFinder(experiments_directory)
        self._own_id = own_id
        self._open_to_read = open_to_read
        self._problems: dict[Path, tuple[Stamp, str]] = {}
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()
        self._facts = FolderFacts(open_to_read)

    async def experiments(self) -> list[ListedExperiment]:
        """Returns the experiments, the newest first."""
        return await asyncio.to_thread(self._experiments)

    def close(self) -> None:
        """Ends what goes on behind."""
        self._facts.close()

    def _experiments(self) -> list[ListedExperiment]:
        with self._lock:  # what is remembered is for one list at a time
            known = self._known
            self._known = {
                folder.experiment_id: self._looked_at(folder, known.get(folder.experiment_id))
                for folder in reversed(self._finder.experiments())
            }
            return [each.listed for each in self._known.values()]

    def _looked_at(self, folder: FolderSummary, before: _Known | None) -> _Known:
        is_same = before is not None and before.listed.folder is folder
        stamp = before.stamp if before is not None and is_same else stamp_of(folder.path)
        facts = self._facts.of(folder, stamp)
        if before is not None and is_same and before.facts is facts:
            return before
        return _Known(stamp, facts, self._listed(folder, stamp, facts))

    def _listed(self, folder: FolderSummary, stamp: Stamp, facts: Facts) -> ListedExperiment:
        summary, problem = folder.summary, self._problem(folder, stamp)
        if not problem and folder.has_record and folder.kind is FolderKind.EXPERIMENT:
            if summary is None:  # of an earlier version, or deleted
                summary, problem = facts.summary, facts.problem
                if summary is None and not problem:
                    summary, problem = record_summary(folder, self._open_to_read)
                    self._facts.note(folder, stamp, summary, problem)
            elif folder.is_interrupted:
                summary, problem = facts.summary or summary, facts.problem
        own = folder.experiment_id == self._own_id
        return ListedExperiment(folder, summary, facts.size, problem, own)

    def _problem(self, folder: FolderSummary, stamp: Stamp) -> str:
        if folder.kind is FolderKind.OLD:
            return f"it was recorded by Microsoft's NNI; see: nnictl view {folder.experiment_id}"
        if not folder.has_record:
            return "" if folder.is_running else f"it never started; its log is in {folder.path / 'log'}"
        known = self._problems.get(folder.path)
        if known is None or known[0] != stamp:
            known = self._problems[folder.path] = (stamp, _problem_of(ExperimentFolder(folder.path).database))
        return known[1]


def _problem_of(database: Path) -> str:
    """Returns why a file cannot be a record; whether all of it can be read is not tried."""
    try:
        with database.open("rb") as file:
            if file.read(len(_SQLITE)) == _SQLITE:
                return ""
    except OSError as error:
        return f"{database}: cannot read the record: {error.strerror}"
    return f"{database}: cannot read the record: it is damaged, or no record at all"
