"""Reads from a record what an engine needs to go on with its experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nni_manager.engine.objective import with_result
from nni_manager.engine.records import TrialRecord, TunerNote
from nni_manager.engine.restoring import RestoredExperiment, TrialPosition, open_requests
from nni_manager.engine.statuses import TrialStatus, TunerNoteKind
from nni_manager.storage.interface import Storage, StorageError, StoredTunerNote

_PAGE = 1000
_UNFINISHED = tuple(status for status in TrialStatus if not status.is_final)


def _ignore(note: StoredTunerNote) -> None:
    """Takes no interest in a note."""


def restored_experiment(
    storage: Storage, take_note: Callable[[StoredTunerNote], None] = _ignore
) -> RestoredExperiment:
    """Returns what an engine needs to go on with the experiment of a record.

    Args:
        storage: The record.
        take_note: Is told every note of the tuner's history, in order, since reading them takes long.

    Raises:
        StorageError: The record has no experiment, or cannot be read.
    """
    experiment = storage.experiment()
    if experiment is None:
        raise StorageError("the record has no experiment")
    trials = tuple(_unfinished_trials(storage))
    counts = storage.trial_counts()
    results: tuple[float, float] | None = None

    def take(stored: StoredTunerNote) -> None:
        nonlocal results
        results = with_result(results, _objective(stored))
        take_note(stored)

    requests = open_requests(_notes(storage, take))
    committed_at = storage.committed_at()
    return RestoredExperiment(
        experiment=experiment,
        trials=trials,
        positions={record.trial_id: _position(storage, record) for record in trials},
        failed_count=counts.get(TrialStatus.FAILED, 0),
        any_success_or_report=bool(counts.get(TrialStatus.SUCCEEDED) or storage.metrics(limit=1)),
        unanswered=requests.unanswered,
        owed=requests.owed,
        last_number=requests.last_number,
        alive_until=experiment.created_at if committed_at is None else committed_at,
        initial_request=requests.initial_request,
        held=requests.held,
        results=results,
    )


def _unfinished_trials(storage: Storage) -> Iterator[TrialRecord]:
    last = -1
    while page := storage.trials(last, _PAGE, _UNFINISHED):
        yield from (stored.record for stored in page)
        last = page[-1].record.sequence_number


def _notes(storage: Storage, take_note: Callable[[StoredTunerNote], None]) -> Iterator[TunerNote]:
    last = 0
    while page := storage.tuner_notes(last):
        for stored in page:
            take_note(stored)
            yield stored.note
        last = page[-1].row


def _objective(stored: StoredTunerNote) -> float | None:
    """Returns the objective of a trial's own final result, None for every other note."""
    is_own = stored.note.kind is TunerNoteKind.FINAL_RESULT and stored.note.data is None
    return stored.trial.objective if is_own and stored.trial is not None else None


def _position(storage: Storage, record: TrialRecord) -> TrialPosition:
    position = storage.report_position(record.trial_id, record.attempt)
    return TrialPosition(
        position.intermediate_count, position.final_count, position.reporter_numbers, position.end_offset
    )
