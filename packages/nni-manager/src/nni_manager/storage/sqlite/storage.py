"""The storage in one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from nni_manager.engine.effects import Write
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.storage.interface import (
    NumberSeries,
    ReportPosition,
    Storage,
    StorageError,
    StoredMetric,
    StoredTrial,
    StoredTunerNote,
)
from nni_manager.storage.sqlite import queries
from nni_manager.storage.sqlite.batch import chunks, write_batch
from nni_manager.storage.sqlite.files import errors_of, fold, open_for_reading, open_for_writing
from nni_manager.storage.sqlite.readers import Readers
from nni_manager.storage.sqlite.rows import Row, experiment_of, metric_of, note_of, series_of, trial_of
from nni_manager.storage.values import decode, number_at

_Result = TypeVar("_Result")


def open_sqlite_storage(path: Path, read_only: bool = False) -> Storage:
    """Opens the record of an experiment.

    Args:
        path: The file. Unless `read_only`, it and its folder are made if there is none.
        read_only: Whether only to read; then the folder may be one where nothing can be written.

    Raises:
        StorageError: The file is missing, damaged, something else, or of a version that is newer
            than this program knows.
    """
    writer = None if read_only else open_for_writing(path)
    storage = SqliteStorage(path, writer)
    try:
        storage.revision()
    except StorageError:
        storage.close()
        raise
    return storage


class SqliteStorage:
    """Keeps the record of one experiment in a file; made by `open_sqlite_storage`."""

    def __init__(self, path: Path, writer: sqlite3.Connection | None) -> None:
        self._path = path
        self._writer = writer
        self._writing = threading.Lock()
        self._readers = Readers(partial(open_for_reading, path))
        self._pinned = threading.local()
        self._closed = False

    def commit(self, writes: Sequence[Write]) -> int:
        """Stores a batch; see the interface."""
        with self._writing, errors_of(self._path, "store a batch"):
            if self._writer is None or self._closed:
                raise StorageError(f"{self._path} is {'closed' if self._closed else 'open for reading only'}")
            if not writes:
                return self.revision()
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                revision = write_batch(self._writer, writes)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return revision

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Lets reads agree; see the interface."""
        if getattr(self._pinned, "connection", None) is not None:
            yield
            return
        with self._readers.lent() as connection:
            connection.execute("BEGIN")
            self._pinned.connection = connection
            try:
                self.revision()  # The first read decides what all see.
                yield
            finally:
                self._pinned.connection = None
                connection.execute("COMMIT")

    def revision(self) -> int:
        """Returns the revision of the last commit; see the interface."""
        return int(self._rows(queries.REVISION)[0][0])

    def experiment(self) -> ExperimentRecord | None:
        """Returns the experiment; see the interface."""
        return _first(self._read(experiment_of, queries.EXPERIMENT))

    def experiment_revision(self) -> int:
        """Returns when the experiment itself was last saved; see the interface."""
        return int(self._rows(queries.EXPERIMENT_REVISION)[0][0])

    def trial(self, trial_id: str) -> StoredTrial | None:
        """Returns a trial; see the interface."""
        return _first(self._read(trial_of, queries.TRIAL, trial_id=trial_id))

    def trial_of_request(self, request_id: str) -> StoredTrial | None:
        """Returns the trial that a request created; see the interface."""
        return _first(self._read(trial_of, queries.TRIAL_OF_REQUEST, request_id=request_id))

    def trials(
        self, after_sequence_number: int = -1, limit: int = 1000, statuses: Collection[TrialStatus] = ()
    ) -> list[StoredTrial]:
        """Returns trials by rising sequence number; see the interface."""
        sql = queries.trials(statuses)
        return self._read(trial_of, sql, after=after_sequence_number, limit=limit)

    def trials_of(self, trial_ids: Sequence[str]) -> list[StoredTrial]:
        """Returns trials by their ids; see the interface."""
        found: dict[str, StoredTrial] = {}
        for chunk in chunks(list(trial_ids), 1):
            read = self._read(trial_of, queries.trials_of(len(chunk)), **_named(chunk))
            found.update((trial.record.trial_id, trial) for trial in read)
        return [found[trial_id] for trial_id in trial_ids if trial_id in found]

    def trials_changed_after(self, revision: int, limit: int = 1000) -> list[StoredTrial]:
        """Returns trials changed after a revision; see the interface."""
        return self._read(trial_of, queries.TRIALS_CHANGED_AFTER, revision=revision, skipped=limit - 1)

    def trial_counts(self) -> dict[TrialStatus, int]:
        """Returns how many trials have each status; see the interface."""
        return {TrialStatus(status): count for status, count in self._rows(queries.TRIAL_COUNTS)}

    def best_trial(self, optimize_mode: str) -> StoredTrial | None:
        """Returns the succeeded trial with the best objective; see the interface."""
        return _first(self._read(trial_of, queries.best_trial(optimize_mode)))

    def metrics(
        self,
        trial_id: str | None = None,
        after_row: int = 0,
        limit: int = 10_000,
        kind: MetricKind | None = None,
    ) -> list[StoredMetric]:
        """Returns results by rising row; see the interface."""
        sql = queries.metrics(kind, of_one_trial=trial_id is not None)
        return self._read(metric_of, sql, after=after_row, limit=limit, trial_id=trial_id)

    def metrics_changed_after(self, revision: int, limit: int = 10_000) -> list[StoredMetric]:
        """Returns results stored after a revision; see the interface."""
        return self._read(metric_of, queries.METRICS_CHANGED_AFTER, revision=revision, skipped=limit - 1)

    def intermediate_numbers(self, trial_ids: Collection[str], key: str) -> dict[str, NumberSeries]:
        """Returns one entry of all intermediate results of trials; see the interface."""
        found: dict[str, NumberSeries] = {}
        for chunk in chunks(list(trial_ids), 1):
            convert = partial(series_of, key=key)
            found.update(self._read(convert, queries.intermediates_of(len(chunk)), **_named(chunk)))
        return found

    def intermediate_numbers_at(self, index: int, key: str) -> dict[str, float]:
        """Returns one entry of the intermediate result of an index; see the interface."""
        rows = self._rows(queries.INTERMEDIATES_AT, index=index)
        with errors_of(self._path, "read the record"):
            return {trial_id: number_at(decode(value), key) for trial_id, value in rows}

    def intermediate_keys(self, after_row: int = 0) -> tuple[set[str], int]:
        """Returns which entries of intermediate results were numbers; see the interface."""
        ((last,),) = self._rows(queries.LAST_METRIC)
        rows = self._rows(queries.INTERMEDIATE_KEYS, after=after_row, last=last)
        return {key for (key,) in rows}, last

    def report_position(self, trial_id: str, attempt: int) -> ReportPosition:
        """Returns how far the results of an attempt are stored; see the interface."""
        rows = self._rows(queries.REPORT_POSITION, trial_id=trial_id, attempt=attempt)
        intermediate_count, final_count, end_offset = rows[0][:3]
        numbers = {reporter: number for *_, reporter, number in rows if reporter is not None}
        return ReportPosition(intermediate_count, final_count, numbers, end_offset)

    def tuner_notes(self, after_row: int = 0, limit: int = 10_000) -> list[StoredTunerNote]:
        """Returns the history of the tuner; see the interface."""
        trials: dict[str, TrialRecord] = {}
        convert = partial(note_of, trials=trials)
        return self._read(convert, queries.TUNER_NOTES, after=after_row, limit=limit)

    def committed_at(self) -> float | None:
        """Returns when the last commit was made; see the interface."""
        committed_at: float | None = self._rows(queries.COMMITTED_AT)[0][0]
        return committed_at

    def close(self) -> None:
        """Closes the storage and folds what SQLite keeps beside its file into it."""
        with self._writing, errors_of(self._path, "close the record"):
            if self._closed:
                return
            self._closed = True
            self._readers.close()
            if self._writer is not None:
                try:
                    fold(self._writer)
                finally:
                    self._writer.close()

    def _read(self, convert: Callable[[Row], _Result], sql: str, **parameters: Any) -> list[_Result]:
        rows = self._rows(sql, **parameters)
        with errors_of(self._path, "read the record"):
            return [convert(row) for row in rows]

    def _rows(self, sql: str, **parameters: Any) -> list[Row]:
        with errors_of(self._path, "read the record"), self._reading() as connection:
            return connection.execute(sql, parameters).fetchall()

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        pinned: sqlite3.Connection | None = getattr(self._pinned, "connection", None)
        return self._readers.lent() if pinned is None else nullcontext(pinned)


def _named(trial_ids: Sequence[str]) -> dict[str, str]:
    """Returns the parameters of statements that name trials; see `queries.placeholders`."""
    return {f"id{place}": trial_id for place, trial_id in enumerate(trial_ids)}


def _first(found: list[_Result]) -> _Result | None:
    return found[0] if found else None
