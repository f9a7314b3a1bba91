"""Keeps the table up to date with a record: only what changed since the last look is read again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from nni_manager.engine.records import ExperimentRecord
from nni_manager.experiments.trial_table.building import TableBuilder
from nni_manager.experiments.trial_table.search_space import SpaceColumn, space_columns
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.storage.interface import Storage

_TRIALS_PER_READ = 1000


class TableKeeper:
    """Holds the table of one experiment, from the first time it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table = TrialTable()
        self._search_space: Any = None
        self._columns: tuple[SpaceColumn, ...] = ()

    @contextmanager
    def reading(self, storage: Storage, record: ExperimentRecord) -> Iterator[TrialTable]:
        """Yields the table as the record is now; what is read of that meanwhile is of the same revision.

        It may be called from any thread, but not within a snapshot.

        Args:
            storage: The experiment's record, always the same one.
            record: The experiment as last stored.

        Raises:
            StorageError: The record cannot be read.
        """
        with ExitStack() as stack:
            with self._lock:
                # Within the lock, so that the snapshot is never older than the table of another thread.
                stack.enter_context(storage.snapshot())
                self._refresh(storage, record)
                table = self._table
            yield table

    def table(self, storage: Storage, record: ExperimentRecord) -> TrialTable:
        """Returns the table as the record is now; see `reading`."""
        with self.reading(storage, record) as table:
            return table

    def _refresh(self, storage: Storage, record: ExperimentRecord) -> None:
        revision, space = storage.revision(), self._columns_of(record)
        now = None if record.running_since is None else time.time()
        changed = storage.trials_changed_after(self._table.revision, _TRIALS_PER_READ)
        if not changed and self._table.trial_ids:
            self._table = self._table.at(revision, space, now)
            return
        builder = TableBuilder(self._table)
        while changed:
            for stored in changed:
                builder.put(stored)
            changed = storage.trials_changed_after(changed[-1].revision, _TRIALS_PER_READ)
        self._table = builder.table(revision, space, now)

    def _columns_of(self, record: ExperimentRecord) -> tuple[SpaceColumn, ...]:
        search_space = record.config.get("searchSpace")
        if search_space is not self._search_space:
            self._search_space, self._columns = search_space, space_columns(search_space)
        return self._columns
