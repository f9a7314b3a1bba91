"""Writes one batch in the transaction that is open."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from nni_manager.engine.effects import SaveExperiment, SaveMetrics, SaveTrial, Write
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import MetricKind
from nni_manager.storage.interface import BatchRefusedError
from nni_manager.storage.sqlite.rows import (
    Row,
    experiment_row,
    metric_row,
    note_row,
    origin_text,
    trial_row,
)
from nni_manager.storage.values import encode, numeric_entries

_Item = TypeVar("_Item")

_VARIABLES = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999
_LARGEST_CHUNK = 1024

_TRIAL_COLUMNS = (
    "sequence_number, trial_id, status, attempt, parameter_id, parameter_source, parameters, created_at, "
    "started_at, ended_at, end_reason, waiting_reason, has_final_result, final_result, objective, revision, "
    "submitted, cancel_reason, earlier_ends, create_request_id, host, gpus"
)
_CHANGING_TRIAL_COLUMNS = _TRIAL_COLUMNS.split(", ")[2:]

_SAVE_TRIALS = (
    f"INSERT INTO trials ({_TRIAL_COLUMNS}) VALUES",
    "ON CONFLICT (trial_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _CHANGING_TRIAL_COLUMNS)
    + " WHERE sequence_number = excluded.sequence_number",
)
_COUNT_TRIALS = (
    "INSERT INTO trial_counts VALUES",
    "ON CONFLICT (status) DO UPDATE SET trials = trials + excluded.trials",
)
_ADD_METRICS = ("INSERT INTO metrics VALUES", "")
_ADD_ENTRIES = ("INSERT INTO metric_entries VALUES", "")
_ADD_RESULTS = (
    "INSERT INTO trial_results VALUES",
    """ON CONFLICT (trial_id, attempt) DO UPDATE SET
        intermediate_count = intermediate_count + excluded.intermediate_count,
        final_count = final_count + excluded.final_count,
        latest_intermediate_row = CASE
            WHEN excluded.latest_intermediate_index >= latest_intermediate_index
            THEN excluded.latest_intermediate_row ELSE latest_intermediate_row END,
        latest_intermediate_index = max(latest_intermediate_index, excluded.latest_intermediate_index)""",
)
_ADD_NOTES = ("INSERT INTO tuner_notes VALUES", "")
_SAVE_REPORTERS = (
    "INSERT INTO reporters VALUES",
    """ON CONFLICT (trial_id, attempt, reporter) DO UPDATE SET
        highest_number = max(highest_number, excluded.highest_number)""",
)
_SAVE_OFFSETS = (
    "INSERT INTO report_files VALUES",
    """ON CONFLICT (trial_id, attempt) DO UPDATE SET end_offset = max(end_offset, excluded.end_offset)""",
)


@dataclass(slots=True)
class _Results:
    """What a batch adds to the results of an attempt."""

    intermediate_count: int = 0
    final_count: int = 0
    latest_index: int = -1
    latest_row: int = 0


@dataclass(slots=True)
class _Rows:
    """The rows of a batch. Of what is saved twice the last counts."""

    experiment: ExperimentRecord | None = None
    trials: dict[str, TrialRecord] = field(default_factory=dict)
    results: dict[tuple[str, int], _Results] = field(default_factory=dict)
    metrics: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)
    reporters: dict[tuple[str, int, str], int] = field(default_factory=dict)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)


def write_batch(connection: sqlite3.Connection, writes: Sequence[Write]) -> int:
    """Writes a batch and returns its revision.

    Raises:
        BatchRefusedError: The batch breaks rule 8 of the interface.
        sqlite3.Error: SQLite cannot write it.
        TypeError, ValueError, OverflowError: It holds a value that cannot be kept.
    """
    place = """SELECT revision, (SELECT ifnull(max(row), 0) FROM metrics),
        (SELECT ifnull(max(row), 0) FROM tuner_notes) FROM state"""
    before, last_row, last_note = connection.execute(place).fetchone()
    revision: int = before + 1
    rows = _rows_of(writes, last_row, last_note, revision)
    connection.execute("UPDATE state SET revision = ?, committed_at = ?", (revision, time.time()))
    if rows.experiment is not None:
        _save_experiment(connection, rows.experiment, revision)
    _save_trials(connection, list(rows.trials.values()), revision)
    _mark_changed(connection, rows, revision)
    _insert(connection, _ADD_METRICS, rows.metrics)
    _insert(connection, _ADD_ENTRIES, rows.entries)
    added = [
        (*key, sums.intermediate_count, sums.final_count, sums.latest_index, sums.latest_row)
        for key, sums in rows.results.items()
    ]
    _insert(connection, _ADD_RESULTS, added)
    _insert(connection, _ADD_NOTES, rows.notes)
    _insert(connection, _SAVE_REPORTERS, [(*key, number) for key, number in rows.reporters.items()])
    _insert(connection, _SAVE_OFFSETS, [(*key, offset) for key, offset in rows.offsets.items()])
    return revision


def _rows_of(writes: Sequence[Write], last_row: int, last_note: int, revision: int) -> _Rows:
    rows = _Rows()
    for write in writes:
        if isinstance(write, SaveTrial):
            record = write.record
            earlier = rows.trials.setdefault(record.trial_id, record)
            if earlier.sequence_number != record.sequence_number:
                raise _number_changed(record.trial_id)
            rows.trials[record.trial_id] = record
        elif isinstance(write, SaveMetrics):
            _add_metrics(rows, write, last_row, revision)
        elif isinstance(write, SaveExperiment):
            rows.experiment = write.record
        else:
            first = last_note + len(rows.notes) + 1
            rows.notes.extend(note_row(note, row, revision) for row, note in enumerate(write.notes, first))
    return rows


def _number_changed(who: str) -> BatchRefusedError:
    return BatchRefusedError(f"{who}: the sequence number of a trial cannot change")


def _add_metrics(rows: _Rows, write: SaveMetrics, last_row: int, revision: int) -> None:
    results = rows.results.setdefault((write.trial_id, write.attempt), _Results())
    for metric in write.metrics:
        row = last_row + len(rows.metrics) + 1
        rows.metrics.append(metric_row(metric, row, revision))
        rows.entries.extend((row, *entry) for entry in numeric_entries(metric.value))
        if metric.kind is MetricKind.FINAL:
            results.final_count += 1
            continue
        results.intermediate_count += 1
        if metric.index >= results.latest_index:
            results.latest_index, results.latest_row = metric.index, row
    for reporter, number in write.reporter_numbers.items():
        key = (write.trial_id, write.attempt, reporter)
        rows.reporters[key] = max(number, rows.reporters.get(key, number))
    if write.end_offset is not None:
        place = (write.trial_id, write.attempt)
        rows.offsets[place] = max(write.end_offset, rows.offsets.get(place, 0))


def _save_experiment(connection: sqlite3.Connection, record: ExperimentRecord, revision: int) -> None:
    row = experiment_row(record, revision)
    connection.execute(f"REPLACE INTO experiment VALUES {_placeholders(len(row))}", row)
    connection.execute(
        """INSERT INTO experiment_config VALUES (1, ?)
        ON CONFLICT (id) DO UPDATE SET config = excluded.config WHERE config <> excluded.config""",
        (encode(record.config),),
    )
    connection.execute(
        """INSERT INTO experiment_origin VALUES (1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, warnings = excluded.warnings
        WHERE origin <> excluded.origin OR warnings <> excluded.warnings""",
        (origin_text(record.origin), encode(record.warnings)),
    )


def _save_trials(connection: sqlite3.Connection, records: list[TrialRecord], revision: int) -> None:
    _count_trials(connection, records)
    saved = _insert(connection, _SAVE_TRIALS, [trial_row(record, revision) for record in records])
    if saved != len(records):
        raise _number_changed("one of the trials")


def _count_trials(connection: sqlite3.Connection, records: list[TrialRecord]) -> None:
    """Keeps count of trials by status, before they are saved: counting all takes too long to do often."""
    changes = Counter(record.status.value for record in records)
    for chunk in chunks([record.trial_id for record in records], 1):
        places = _placeholders(len(chunk))
        sql = f"SELECT status, count(*) FROM trials WHERE trial_id IN {places} GROUP BY status"
        changes.subtract(dict(connection.execute(sql, chunk).fetchall()))
    _insert(connection, _COUNT_TRIALS, [change for change in changes.items() if change[1]])


def _mark_changed(connection: sqlite3.Connection, rows: _Rows, revision: int) -> None:
    """Gives trials that have new results the revision, and sees that they exist."""
    named = dict.fromkeys(trial_id for trial_id, _ in rows.results)
    others = [trial_id for trial_id in named if trial_id not in rows.trials]
    for chunk in chunks(others, 1):
        places = _placeholders(len(chunk))
        sql = f"UPDATE trials SET revision = ? WHERE trial_id IN {places}"
        if connection.execute(sql, (revision, *chunk)).rowcount != len(chunk):
            raise BatchRefusedError("there are results of a trial that was never saved")


def _insert(connection: sqlite3.Connection, statement: tuple[str, str], rows: list[Row]) -> int:
    """Inserts rows and returns how many were inserted or changed.

    A statement takes many rows at once, since SQLite's module gives up the interpreter's lock at every
    statement, and beside a busy thread each time costs milliseconds to get it back.
    """
    changed = 0
    head, tail = statement
    for chunk in chunks(rows, len(rows[0]) if rows else 1):
        places = ", ".join([_placeholders(len(chunk[0]))] * len(chunk))
        cursor = connection.execute(f"{head} {places} {tail}", list(chain.from_iterable(chunk)))
        changed += cursor.rowcount
    return changed


def chunks(items: list[_Item], width: int) -> Iterator[list[_Item]]:
    """Yields a list in parts whose lengths are powers of two, so that few statements are prepared."""
    start = 0
    size = _LARGEST_CHUNK
    while start < len(items):
        while size > len(items) - start or size * width >= _VARIABLES:
            size //= 2
        yield items[start : start + size]
        start += size


def _placeholders(count: int) -> str:
    return f"({', '.join('?' * count)})"
