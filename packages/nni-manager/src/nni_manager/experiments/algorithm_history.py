"""What a tuner or an assessor has to know to go on, read from the record."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from typing import TypeVar

from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellSearchSpace,
    TellTrialEnd,
    TunerCall,
)
from nni_manager.engine.events import ParametersProposed, ParametersRefused
from nni_manager.engine.records import TrialRecord
from nni_manager.engine.statuses import MetricKind, TunerNoteKind
from nni_manager.storage.interface import Storage, StorageError, StoredTunerNote
from nni_manager.tuning.interface import AlgorithmError, History, HistoryEntry

_PAGE = 2_000

_Row = TypeVar("_Row")


def tuner_history(storage: Storage) -> History:
    """Returns the history of the tuner as stored now. Its entries are read a page at a time.

    Raises:
        StorageError: The record cannot be read. Reading the entries later raises AlgorithmError instead.
    """
    last_row = last_number = 0
    arranger = _Arranger()
    for stored in _tuner_notes(storage):
        last_row, last_number = stored.row, max(last_number, stored.note.number)
        deque(arranger.take(stored), maxlen=0)
    if not last_row:
        return History()
    return History(
        entries=_Entries(lambda: arranged(_tuner_notes(storage, last_row)), "tuner"),
        open_calls=tuple(arranger.open_calls()),
        last_number=last_number,
    )


def assessor_history(storage: Storage) -> History:
    """Returns the history of the assessor as stored now. Its entries are read a page at a time.

    They are the intermediate results of every attempt, in the order stored, and the ends of trials.
    """
    revision = storage.revision()
    return History(entries=_Entries(lambda: _assessor_entries(storage, revision), "assessor"))


def arranged(notes: Iterable[StoredTunerNote]) -> Iterator[HistoryEntry]:
    """Yields what the notes of a history tell: every call, each request with its answers right behind it.

    It ends with the answers of the first request that is still open, if it has some.
    """
    arranger = _Arranger()
    for stored in notes:
        yield from arranger.take(stored)
    yield from arranger.answered_of_open()


@dataclass(slots=True)
class _Held:
    """A call or a late answer, held back until the request before it is answered.

    Attributes:
        entry: It.
        open_ids: Its ids without an answer, none for what is not a request.
        answers: Its answers, in the order recorded.
    """

    entry: HistoryEntry
    open_ids: set[int] = field(default_factory=set)
    answers: list[HistoryEntry] = field(default_factory=list)


class _Arranger:
    """Puts answers right behind their requests, as a tuner that takes one call after the other gives them."""

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()
        self._requests: dict[int, _Held] = {}

    def take(self, stored: StoredTunerNote) -> Iterator[HistoryEntry]:
        """Takes the next note and yields what is complete by now."""
        note = stored.note
        if note.kind in (TunerNoteKind.PROPOSED, TunerNoteKind.REFUSED, TunerNoteKind.WITHDRAWN):
            self._answer(stored)
        else:
            call = _call_of(stored)
            if call is not None:
                ids = set(note.parameter_ids) if note.kind is TunerNoteKind.ASKED else set()
                self._held.append(_Held(call, ids))
                self._requests.update(dict.fromkeys(ids, self._held[-1]))
        while self._held and not self._held[0].open_ids:
            held = self._held.popleft()
            yield held.entry
            yield from held.answers

    def answered_of_open(self) -> Iterator[HistoryEntry]:
        """Yields the open requests that have some answers, with those."""
        for held in self._held:
            if held.answers:
                yield held.entry
                yield from held.answers

    def open_calls(self) -> Iterator[TunerCall]:
        """Yields the calls from the first open request on, requests with the ids that are open."""
        for held in self._held:
            call = held.entry
            if isinstance(call, RequestParameters):
                ids = tuple(id_ for id_ in call.parameter_ids if id_ in held.open_ids)
                if ids:
                    yield RequestParameters(call.number, ids)
            elif not isinstance(call, (ParametersProposed, ParametersRefused, TellIntermediateResult)):
                yield call

    def _answer(self, stored: StoredTunerNote) -> None:
        note = stored.note
        answer: HistoryEntry | None = None
        if note.kind is TunerNoteKind.PROPOSED:
            answer = ParametersProposed(note.parameter_ids[0], _proposed(stored), 0.0)
        elif note.kind is TunerNoteKind.REFUSED:
            answer = ParametersRefused(note.parameter_ids, "")
        held = [self._requests.pop(id_, None) for id_ in note.parameter_ids]
        for id_, request in zip(note.parameter_ids, held, strict=True):
            if request is not None:
                request.open_ids.discard(id_)
        if answer is None:
            return
        # Proposals that come after a refusal stand where they came.
        place = next((request for request in held if request is not None), None)
        if place is None:
            self._held.append(_Held(answer))
        else:
            place.answers.append(answer)


def _proposed(stored: StoredTunerNote) -> object:
    """Returns the parameters that the tuner proposed, which may not be those that the trial got."""
    if stored.trial is None or stored.note.data is not None:
        return stored.note.data
    return stored.trial.parameters


def _call_of(stored: StoredTunerNote) -> TunerCall | None:
    note, trial = stored.note, stored.trial
    if note.kind is TunerNoteKind.ASKED:
        return RequestParameters(note.number, note.parameter_ids)
    if note.kind is TunerNoteKind.SEARCH_SPACE:
        return TellSearchSpace(note.number, note.data)
    if note.kind is TunerNoteKind.IMPORTED:
        return TellImportedTrials(note.number, tuple(note.data))
    if trial is None or not note.number:
        return None
    if note.kind is TunerNoteKind.FINAL_RESULT:
        return _final_result(note.number, trial)
    return TellTrialEnd(note.number, trial.trial_id, trial.parameter_id, trial.status)


def _final_result(number: int, trial: TrialRecord) -> TellFinalResult:
    return TellFinalResult(
        number,
        trial.trial_id,
        trial.parameter_id,
        trial.parameters,
        trial.final_result,
        customized=trial.parameter_id is None,
    )


def _assessor_entries(storage: Storage, revision: int) -> Iterator[HistoryEntry]:
    """Yields results and ends by the revision that stored them, the results of a revision first."""
    entries = merge(_results(storage), _ends(storage), key=lambda placed: placed[:2])
    for stored_at, _, entry in entries:
        if stored_at > revision:
            return
        yield entry


def _results(storage: Storage) -> Iterator[tuple[int, int, HistoryEntry]]:
    def page(after: int) -> list[tuple[int, tuple[int, int, HistoryEntry] | None]]:
        found = storage.metrics(after_row=after, limit=_PAGE, kind=MetricKind.INTERMEDIATE)
        return [
            (
                stored.row,
                None
                if stored.record.late
                else (
                    stored.revision,
                    0,
                    TellIntermediateResult(
                        stored.record.trial_id, None, stored.record.index, stored.record.value
                    ),
                ),
            )
            for stored in found
        ]

    return (placed for placed in _rows(page) if placed is not None)


def _ends(storage: Storage) -> Iterator[tuple[int, int, HistoryEntry]]:
    for stored in _tuner_notes(storage):
        if stored.note.kind is TunerNoteKind.TRIAL_END and stored.trial is not None:
            trial = stored.trial
            end = TellTrialEnd(stored.note.number, trial.trial_id, trial.parameter_id, trial.status)
            yield stored.revision, 1, end


def _tuner_notes(storage: Storage, last_row: int | None = None) -> Iterator[StoredTunerNote]:
    def page(after: int) -> list[tuple[int, StoredTunerNote]]:
        return [(stored.row, stored) for stored in storage.tuner_notes(after_row=after, limit=_PAGE)]

    for stored in _rows(page):
        if last_row is not None and stored.row > last_row:
            return
        yield stored


def _rows(page: Callable[[int], list[tuple[int, _Row]]]) -> Iterator[_Row]:
    row = 0
    while found := page(row):
        yield from (item for _, item in found)
        row = found[-1][0]


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
