"""Keeps the table up to date with a record: only what changed since the last look is read again."""

from __future__ import annotations

import threading
from typing import Any

from nni_manager.engine.records import ExperimentRecord
from nni_manager.experiments.trial_table.search_space import SpaceColumn, space_columns
from nni_manager.experiments.trial_table.table import TrialTable, updated
from nni_manager.storage.interface import Storage, StoredTrial

_TRIALS_PER_READ = 5000


class TableKeeper:
    """Holds the table of one experiment, from the first time it is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._table = TrialTable(0, ())
        self._search_space: Any = None
        self._columns: tuple[SpaceColumn, ...] = ()

    def table(self, storage: Storage, record: ExperimentRecord) -> TrialTable:
        """Returns the table as the record is now; may be called from any thread.

        Args:
            storage: The experiment's record, always of the same experiment.
            record: The experiment as last stored.

        Raises:
            StorageError: The record cannot be read.
        """
        with self._lock:
            revision = storage.revision()
            changed: dict[str, StoredTrial] = {}
            last = self._table.revision
            while True:
                page = storage.trials_changed_after(last, _TRIALS_PER_READ)
                changed.update((stored.record.trial_id, stored) for stored in page)
                if page:
                    last = page[-1].revision
                if len(page) < _TRIALS_PER_READ:
                    break
            # A page has everything up to the revision of its last trial, so the table does too.
            self._table = updated(
                self._table,
                changed.values(),
                max(revision, last),
                self._columns_of(record),
                is_running=record.running_since is not None,
            )
            return self._table

    def _columns_of(self, record: ExperimentRecord) -> tuple[SpaceColumn, ...]:
        search_space = record.config.get("searchSpace")
        if search_space is not self._search_space:
            self._search_space, self._columns = search_space, space_columns(search_space)
        return self._columns
