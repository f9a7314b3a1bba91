"""What a tuner or an assessor has to know to go on, read from the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from typing import Any, TypeVar

from nni_manager.engine.effects import TellIntermediateResult, TellSearchSpace, TellTrialEnd
from nni_manager.engine.statuses import MetricKind, TunerNoteKind
from nni_manager.experiments.arranged_notes import Outline, arranged
from nni_manager.storage.interface import Storage, StorageError, StoredMetric, StoredTunerNote
from nni_manager.tuning.interface import AlgorithmError, History, HistoryEntry

_PAGE = 2_000
_Stored = TypeVar("_Stored", StoredMetric, StoredTunerNote)

RECORDED: Any = object()
"""In place of a search space: that of the record."""


def tuner_history(storage: Storage, search_space: Any = RECORDED, outline: Outline | None = None) -> History:
    """Returns the history of the tuner as stored now. Its entries are read a page at a time.

    Args:
        storage: The record.
        search_space: The search space to go on with, where it is not the recorded one. The tuner is told it
            after everything else, and has to take it.
        outline: What the notes tell that were read before; those after them are added to it.

    Raises:
        StorageError: The record cannot be read. Reading the entries later raises AlgorithmError instead.
    """
    outline = outline or Outline()
    for stored in _tuner_notes(storage, after=outline.last_row):
        outline.take(stored)
    if not outline.last_row:
        return History()
    experiment = storage.experiment()
    recorded = None if experiment is None else experiment.config.get("searchSpace")
    changes = () if search_space is RECORDED or search_space == recorded else (search_space,)

    def entries() -> Iterator[HistoryEntry]:
        yield from arranged(_tuner_notes(storage, until=outline.last_row), outline.late_changes)
        yield from (TellSearchSpace(0, space) for space in changes)

    return History(
        entries=_Entries(entries, "tuner"),
        open_calls=outline.open_calls(),
        last_number=outline.last_number,
        first_search_space=recorded if outline.first_search_space is None else outline.first_search_space,
    )


def assessor_history(storage: Storage) -> History:
    """Returns the history of the assessor as stored now. Its entries are read a page at a time.

    They are the intermediate results of every attempt, in the order stored, and the ends of trials.
    """
    if not storage.trials(limit=1):
        return History()
    revision = storage.revision()
    return History(entries=_Entries(lambda: _assessor_entries(storage, revision), "assessor"))


def _assessor_entries(storage: Storage, revision: int) -> Iterator[HistoryEntry]:
    """Yields results and ends by the revision that stored them, the results of a revision first."""
    entries = merge(_results(storage), _ends(storage), key=lambda placed: placed[:2])
    for stored_at, _, entry in entries:
        if stored_at > revision:
            return
        yield entry


def _results(storage: Storage) -> Iterator[tuple[int, int, HistoryEntry]]:
    def page(after: int) -> list[StoredMetric]:
        return storage.metrics(after_row=after, limit=_PAGE, kind=MetricKind.INTERMEDIATE)

    for stored in _rows(page):
        result = stored.record
        if not result.late:
            told = TellIntermediateResult(result.trial_id, None, result.index, result.value)
            yield stored.revision, 0, told


def _ends(storage: Storage) -> Iterator[tuple[int, int, HistoryEntry]]:
    for stored in _tuner_notes(storage):
        if stored.note.kind is TunerNoteKind.TRIAL_END and stored.trial is not None:
            trial = stored.trial
            end = TellTrialEnd(stored.note.number, trial.trial_id, trial.parameter_id, trial.status)
            yield stored.revision, 1, end


def _tuner_notes(storage: Storage, after: int = 0, until: int | None = None) -> Iterator[StoredTunerNote]:
    def page(after: int) -> list[StoredTunerNote]:
        return storage.tuner_notes(after_row=after, limit=_PAGE)

    for stored in _rows(page, after):
        if until is not None and stored.row > until:
            return
        yield stored


def _rows(page: Callable[[int], list[_Stored]], row: int = 0) -> Iterator[_Stored]:
    while found := page(row):
        yield from found
        row = found[-1].row


class _Entries:
    """Reads entries from the record each time they are iterated over."""

    def __init__(self, read: Callable[[], Iterator[HistoryEntry]], kind: str) -> None:
        self._read = read
        self._kind = kind

    def __iter__(self) -> Iterator[HistoryEntry]:
        try:
            yield from self._read()
        except StorageError as error:
            raise AlgorithmError(f"the history of the {self._kind} cannot be read: {error}") from error
