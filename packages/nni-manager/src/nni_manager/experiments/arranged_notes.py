"""Puts the notes of a tuner's history into the order in which the tuner took its calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

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
from nni_manager.engine.records import TrialRecord, TunerNote
from nni_manager.engine.statuses import TunerNoteKind
from nni_manager.storage.interface import StoredTunerNote
from nni_manager.tuning.interface import HistoryEntry


def arranged(
    notes: Iterable[StoredTunerNote], late_changes: Mapping[int, TellSearchSpace] = MappingProxyType({})
) -> Iterator[HistoryEntry]:
    """Yields what the notes of a history tell: every call, each request with its answers right behind it.

    It ends with the answers of the first request that is still open, if it has some.

    Args:
        notes: The notes.
        late_changes: The changes of the search space that were noted after calls that followed them.
    """
    arranger = _Arranger(late_changes)
    for stored in notes:
        yield from arranger.take(stored)
    yield from arranger.answered_of_open()


class Outline:
    """What is to be known of a history before its entries are read.

    Attributes:
        last_row: The row of the last note, 0 when there is none.
        last_number: The number of the last call.
        first_search_space: The search space at the beginning, None if it never changed.
        late_changes: The changes of the search space that were noted after calls that followed them.
    """

    def __init__(self) -> None:
        self.last_row = 0
        self.last_number = 0
        self.first_search_space: Any = None
        self.late_changes: dict[int, TellSearchSpace] = {}
        self._arranger = _Arranger({})

    def take(self, stored: StoredTunerNote) -> None:
        """Takes the next note."""
        note = stored.note
        if note.kind is TunerNoteKind.SEARCH_SPACE:
            if not note.number and self.first_search_space is None:
                self.first_search_space = note.data
            if 0 < note.number < self.last_number:
                self.late_changes[note.number] = TellSearchSpace(note.number, note.data)
        self.last_row = stored.row
        self.last_number = max(self.last_number, note.number)
        deque(self._arranger.take(stored), maxlen=0)

    def open_calls(self) -> tuple[TunerCall, ...]:
        """Returns the calls from the first open request on, requests with the ids that are open."""
        calls = list(self._arranger.open_calls())
        first = calls[0].number if calls else 0
        return tuple(sorted((call for call in calls if call.number >= first), key=lambda call: call.number))


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

    def __init__(self, late_changes: Mapping[int, TellSearchSpace]) -> None:
        self._held: deque[_Held] = deque()
        self._requests: dict[int, _Held] = {}
        self._without_trial: set[int] = set()
        self._late_changes = late_changes
        self._late_numbers = deque(sorted(late_changes))

    def take(self, stored: StoredTunerNote) -> Iterator[HistoryEntry]:
        """Takes the next note and yields what is complete by now."""
        note = stored.note
        if note.kind in (TunerNoteKind.PROPOSED, TunerNoteKind.REFUSED, TunerNoteKind.WITHDRAWN):
            self._answer(stored)
        else:
            call = _call_of(stored)
            if call is not None and call.number not in self._late_changes:
                while self._late_numbers and self._late_numbers[0] < call.number:
                    self._held.append(_Held(self._late_changes[self._late_numbers.popleft()]))
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
            elif not isinstance(call, (ParametersProposed, ParametersRefused)):
                yield call

    def _answer(self, stored: StoredTunerNote) -> None:
        note = stored.note
        answer: HistoryEntry | None = None
        if note.kind is TunerNoteKind.PROPOSED:
            parameter_id = note.parameter_ids[0]
            if parameter_id in self._without_trial:
                return  # the trial that was made of it later
            if stored.trial is None:
                self._without_trial.add(parameter_id)
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
        return TellSearchSpace(note.number, note.data) if note.number else None
    if note.kind is TunerNoteKind.IMPORTED:
        return TellImportedTrials(note.number, tuple(note.data))
    if trial is None or not note.number:
        return None
    if note.kind is TunerNoteKind.INTERMEDIATE_RESULT:
        index, value = note.data["index"], note.data["value"]
        return TellIntermediateResult(trial.trial_id, trial.parameter_id, index, value, note.number)
    if note.kind is TunerNoteKind.FINAL_RESULT:
        return _final_result(note, trial)
    return TellTrialEnd(note.number, trial.trial_id, trial.parameter_id, trial.status)


def _final_result(note: TunerNote, trial: TrialRecord) -> TellFinalResult:
    stands_in = note.data is not None
    return TellFinalResult(
        note.number,
        trial.trial_id,
        trial.parameter_id,
        trial.parameters,
        note.data["value"] if stands_in else trial.final_result,
        customized=trial.parameter_id is None,
        stands_in=stands_in,
    )
