"""Answers questions about the trials of one experiment as a table.

What makes tables is imported at the first question: it takes a tenth of a second and megabytes, and most
managers are never asked.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nni_manager.engine.records import ExperimentRecord
from nni_manager.experiments.trial_table.query import Position, StepRange, TrialQuery
from nni_manager.storage.interface import Storage

if TYPE_CHECKING:
    from nni_manager.experiments.trial_table.curves import CurveKeeper, Curves
    from nni_manager.experiments.trial_table.keeping import TableKeeper
    from nni_manager.experiments.trial_table.paging import TrialPage
    from nni_manager.experiments.trial_table.reading_columns import ReadColumns
    from nni_manager.experiments.trial_table.search_space import SpaceColumn
    from nni_manager.experiments.trial_table.table import TrialTable


def tables_of(storage: Storage) -> TableReader:
    """Returns what reads the trials of an open record; it stays with the record until that is gone."""
    with _LOCK:
        return _READERS.setdefault(storage, TableReader())


class TableReader:
    """Reads the trials of one experiment. Its methods may be called from any thread.

    Every method may raise StorageError, and InvalidArgumentError for a query that is malformed or names a
    column that there is not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: TableKeeper | None = None
        self._curves: CurveKeeper | None = None

    def table(self, storage: Storage, record: ExperimentRecord) -> TrialTable:
        """Returns the trials as they are now.

        Args:
            storage: The experiment's record, always the same one.
            record: The experiment as last stored.
        """
        return self._keeper().table(storage, record)

    def page(
        self,
        storage: Storage,
        record: ExperimentRecord,
        query: TrialQuery,
        after: Position | None,
        skip: int,
        limit: int,
    ) -> TrialPage:
        """Returns a page of trials; see `paging.trial_page`."""
        from nni_manager.experiments.trial_table.paging import trial_page

        return trial_page(storage, record, self._keeper(), query, after, skip, limit)

    def columns(self, storage: Storage, record: ExperimentRecord) -> Sequence[SpaceColumn]:
        """Returns the columns that there are; see `columns.listed_columns`."""
        from nni_manager.experiments.trial_table.columns import listed_columns

        return listed_columns(self.table(storage, record))

    def read_columns(
        self,
        storage: Storage,
        record: ExperimentRecord,
        query: TrialQuery,
        names: Sequence[str],
        max_trials: int,
    ) -> ReadColumns:
        """Returns columns of trials; see `reading_columns.read_columns`."""
        from nni_manager.experiments.trial_table.querying import chosen
        from nni_manager.experiments.trial_table.reading_columns import read_columns

        trials = chosen(self.table(storage, record), query)
        return read_columns(trials, names, max_trials, record.optimize_mode)

    def curves(
        self,
        storage: Storage,
        record: ExperimentRecord,
        query: TrialQuery,
        key: str,
        max_curves: int,
        max_points: int,
        step_range: StepRange | None,
    ) -> Curves:
        """Returns the curves of trials; see `curves.CurveKeeper`."""
        from nni_manager.experiments.trial_table.curves import CurveKeeper
        from nni_manager.experiments.trial_table.querying import chosen

        with self._lock:
            if self._curves is None:
                self._curves = CurveKeeper()
        trials = chosen(self.table(storage, record), query)
        return self._curves.curves(storage, trials, key, max_curves, max_points, step_range)

    def _keeper(self) -> TableKeeper:
        with self._lock:
            if self._tables is None:
                from nni_manager.experiments.trial_table.keeping import TableKeeper

                self._tables = TableKeeper()
            return self._tables


_LOCK = threading.Lock()
_READERS: WeakKeyDictionary[Storage, TableReader] = WeakKeyDictionary()
