"""Records as rows of the tables, and rows as records."""

from __future__ import annotations

from array import array
from typing import Any

from nni_manager.engine.records import (
    EndReason,
    ExperimentOrigin,
    ExperimentRecord,
    MetricRecord,
    TrialRecord,
    TunerNote,
)
from nni_manager.engine.statuses import (
    Actor,
    ExperimentStatus,
    MetricKind,
    ParameterSource,
    TrialStatus,
    TunerNoteKind,
)
from nni_manager.storage.interface import NumberSeries, StoredMetric, StoredTrial, StoredTunerNote
from nni_manager.storage.values import DEFAULT_KEY, decode, encode, number_at

Row = tuple[Any, ...]

SELECT_EXPERIMENT = """
SELECT experiment_id, status, config, optimize_mode, created_at, started_at, ended_at, running_seconds,
    running_since, end_reason, errors, next_sequence_number, next_parameter_id, create_request_id,
    origin, warnings, paused, initial_count, import_request_ids
FROM experiment JOIN experiment_config USING (id) LEFT JOIN experiment_origin USING (id)"""

_TRIAL_COLUMNS = """
    t.trial_id, t.sequence_number, t.status, t.attempt, t.parameter_id, t.parameter_source, t.parameters,
    t.created_at, t.started_at, t.ended_at, t.end_reason, t.waiting_reason, t.has_final_result,
    t.final_result, t.objective, t.submitted, t.cancel_reason, t.earlier_ends, t.create_request_id, t.host,
    t.gpus"""

SELECT_TRIALS = f"""
SELECT {_TRIAL_COLUMNS}, ifnull(r.intermediate_count, 0), m.value, t.revision
FROM trials AS t
LEFT JOIN trial_results AS r ON r.trial_id = t.trial_id AND r.attempt = t.attempt
LEFT JOIN metrics AS m ON m.row = r.latest_intermediate_row"""

SELECT_METRICS = """
SELECT trial_id, attempt, kind, metric_index, value, reported_at, late, row, revision FROM metrics AS m"""

SELECT_NOTES = f"""
SELECT n.row, n.kind, n.number, n.parameter_ids, n.data, n.revision, n.trial_id AS noted_id, {_TRIAL_COLUMNS}
FROM tuner_notes AS n LEFT JOIN trials AS t ON t.trial_id = n.trial_id"""

_NOT_FINITE_NUMBERS = '{["tfnNI'
"""Characters of which every text of values other than finite numbers has one."""

_ACTORS = {actor.value: actor for actor in Actor}
_EXPERIMENT_STATUSES = {status.value: status for status in ExperimentStatus}
_KINDS = {kind.value: kind for kind in MetricKind}
_NOTE_KINDS = {kind.value: kind for kind in TunerNoteKind}
_SOURCES = {source.value: source for source in ParameterSource}
_TRIAL_STATUSES = {status.value: status for status in TrialStatus}


def experiment_row(record: ExperimentRecord, revision: int) -> Row:
    """Returns the row of an experiment, without its configuration."""
    return (
        1,
        record.experiment_id,
        record.status.value,
        record.optimize_mode,
        record.created_at,
        record.started_at,
        record.ended_at,
        record.running_seconds,
        record.running_since,
        _end_reason_text(record.end_reason),
        encode(record.errors),
        record.next_sequence_number,
        record.next_parameter_id,
        record.create_request_id,
        revision,
        record.paused,
        record.initial_count,
        encode(record.import_request_ids),
    )


def origin_text(origin: ExperimentOrigin) -> str:
    """Returns what an experiment was made of as text."""
    return encode(
        [origin.git_commit, origin.git_is_dirty, origin.code_hash, origin.package_versions, origin.seed]
    )


def trial_row(record: TrialRecord, revision: int) -> Row:
    """Returns the row of a trial."""
    return (
        record.sequence_number,
        record.trial_id,
        record.status.value,
        record.attempt,
        record.parameter_id,
        record.parameter_source.value,
        encode(record.parameters),
        record.created_at,
        record.started_at,
        record.ended_at,
        _end_reason_text(record.end_reason),
        record.waiting_reason,
        record.has_final_result,
        encode(record.final_result),
        record.objective,
        revision,
        record.submitted,
        _end_reason_text(record.cancel_reason),
        encode([_end_reason_parts(reason) for reason in record.earlier_ends]),
        record.create_request_id,
        record.host,
        encode(record.gpus),
    )


def metric_row(record: MetricRecord, row: int, revision: int) -> Row:
    """Returns the row of a result."""
    return (
        row,
        record.trial_id,
        record.attempt,
        record.kind.value,
        record.index,
        encode(record.value),
        record.reported_at,
        record.late,
        revision,
    )


def note_row(note: TunerNote, row: int, revision: int) -> Row:
    """Returns the row of a note of the tuner's history."""
    data = None if note.data is None else encode(note.data)
    return (row, note.kind.value, note.number, encode(note.parameter_ids), note.trial_id, data, revision)


def experiment_of(row: Row) -> ExperimentRecord:
    """Returns the experiment of a row of SELECT_EXPERIMENT."""
    return ExperimentRecord(
        experiment_id=row[0],
        status=_EXPERIMENT_STATUSES[row[1]],
        config=decode(row[2]),
        optimize_mode=row[3],
        created_at=row[4],
        started_at=row[5],
        ended_at=row[6],
        running_seconds=row[7],
        running_since=row[8],
        end_reason=_end_reason_of(row[9]),
        errors=tuple(decode(row[10])),
        next_sequence_number=row[11],
        next_parameter_id=row[12],
        create_request_id=row[13],
        origin=ExperimentOrigin() if row[14] is None else ExperimentOrigin(*decode(row[14])),
        warnings=() if row[15] is None else tuple(decode(row[15])),
        paused=bool(row[16]),
        initial_count=row[17],
        import_request_ids=tuple(decode(row[18])),
    )


def trial_of(row: Row) -> StoredTrial:
    """Returns the trial of a row of SELECT_TRIALS."""
    latest = None if row[22] is None else decode(row[22])
    return StoredTrial(_trial_record_of(row), row[21], latest, row[23])


def note_of(row: Row, trials: dict[str, TrialRecord]) -> StoredTunerNote:
    """Returns the note of a row of SELECT_NOTES.

    Args:
        row: The row.
        trials: The trials of rows read before, to which this one's is added.
    """
    place, kind, number, parameter_ids, data, revision, trial_id, *columns = row
    ids = () if parameter_ids == "[]" else tuple(decode(parameter_ids))
    note = TunerNote(_NOTE_KINDS[kind], number, ids, trial_id, None if data is None else decode(data))
    if columns[0] is not None and trial_id not in trials:
        trials[trial_id] = _trial_record_of(tuple(columns))
    return StoredTunerNote(note, place, trials.get(trial_id), revision)


def _trial_record_of(row: Row) -> TrialRecord:
    return TrialRecord(
        trial_id=row[0],
        sequence_number=row[1],
        status=_TRIAL_STATUSES[row[2]],
        attempt=row[3],
        parameter_id=row[4],
        parameter_source=_SOURCES[row[5]],
        parameters=decode(row[6]),
        created_at=row[7],
        started_at=row[8],
        ended_at=row[9],
        end_reason=_end_reason_of(row[10]),
        waiting_reason=row[11],
        has_final_result=bool(row[12]),
        final_result=decode(row[13]),
        objective=row[14],
        submitted=bool(row[15]),
        cancel_reason=_end_reason_of(row[16]),
        earlier_ends=tuple(_end_reason_of_parts(parts) for parts in decode(row[17])),
        create_request_id=row[18],
        host=row[19],
        gpus=() if row[20] == "[]" else tuple(decode(row[20])),
    )


def metric_of(row: Row) -> StoredMetric:
    """Returns the result of a row of SELECT_METRICS."""
    trial_id, attempt, kind, index, value, reported_at, late, place, revision = row
    record = MetricRecord(trial_id, attempt, _KINDS[kind], index, decode(value), reported_at, bool(late))
    return StoredMetric(record, place, revision)


def series_of(row: Row, key: str) -> tuple[str, NumberSeries]:
    """Returns a trial and one entry of its results, which a row has in lists with commas."""
    import numpy as np  # Here, since most managers never show a curve.

    trial_id, index_list, value_list = row
    indexes = np.fromstring(index_list, dtype=np.int64, sep=",")
    numbers = None
    if key == DEFAULT_KEY and not any(character in value_list for character in _NOT_FINITE_NUMBERS):
        numbers = np.fromstring(value_list, dtype=np.float64, sep=",")  # In a quarter of the time.
    if numbers is None or np.isinf(numbers).any():  # An integer that no double can hold is no number.
        values = decode(f"[{value_list}]")
        numbers = np.array([number_at(value, key) for value in values], dtype=np.float64)
    places = np.argsort(indexes, kind="stable")
    return trial_id, NumberSeries(
        array("q", indexes[places].tobytes()), array("d", numbers[places].tobytes())
    )


def _end_reason_text(reason: EndReason | None) -> str | None:
    return None if reason is None else encode(_end_reason_parts(reason))


def _end_reason_of(text: str | None) -> EndReason | None:
    return None if text is None else _end_reason_of_parts(decode(text))


def _end_reason_parts(reason: EndReason) -> list[Any]:
    return [reason.actor.value, reason.message, reason.exit_code, reason.signal, reason.stderr_tail]


def _end_reason_of_parts(parts: list[Any]) -> EndReason:
    actor, *rest = parts
    return EndReason(_ACTORS[actor], *rest)
