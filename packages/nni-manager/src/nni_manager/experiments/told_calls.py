"""Which calls an algorithm knows, so that each reaches it once although it is made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nni_manager.engine.effects import AssessorCall, TellIntermediateResult, TellTrialEnd, TunerCall
from nni_manager.tuning.interface import History, HistoryEntry

Call = TunerCall | AssessorCall


class ToldCalls:
    """Holds back calls while an algorithm is made, and leaves out those that are in its history.

    Calls to a tuner have numbers. Results told to an assessor are known by their place: which attempt of the
    trial, counted by the results with index 0, and which index.
    """

    def __init__(self, kind: str) -> None:
        self._is_tuner = kind == "tuner"
        self._last_number = 0
        self._in_history = _Places()
        self._told = _Places()
        self._held: list[tuple[Call, tuple[int, int]]] = []
        self._is_first = True

    def begin(self, history: History) -> None:
        """Takes note that an algorithm is made out of a history; `noting` sees its entries."""
        self._last_number = max(self._last_number, history.last_number)

    def noting(self, entries: Iterable[HistoryEntry]) -> Iterable[HistoryEntry]:
        """Returns the entries, whose places are noted each time they are gone through."""
        return entries if self._is_tuner or entries == () else _Noting(self, entries)

    def take(self, call: Call, *, is_ready: bool) -> list[Call]:
        """Takes a call and returns what to tell now."""
        place = self._told.note(call) if not self._is_tuner else (0, 0)
        if not is_ready:
            self._held.append((call, place))
            return []
        return [] if self._is_known(call, place) else [call]

    def due(self) -> list[Call]:
        """Returns the calls that were held back and are not in the history, now that it is told."""
        if self._is_first:
            self._told.adopt(self._in_history)
            self._is_first = False
        held, self._held = self._held, []
        return [call for call, place in held if not self._is_known(call, place)]

    def note_history(self, entries: Iterable[HistoryEntry]) -> Iterator[HistoryEntry]:
        """Yields the entries of a history and notes their places."""
        self._in_history = places = _Places()
        for entry in entries:
            places.note(entry)
            yield entry

    def _is_known(self, call: Call, place: tuple[int, int]) -> bool:
        if self._is_tuner:
            return call.number <= self._last_number
        return isinstance(call, TellIntermediateResult) and place <= self._in_history.last.get(
            call.trial_id, (0, -1)
        )


class _Noting:
    def __init__(self, told: ToldCalls, entries: Iterable[HistoryEntry]) -> None:
        self._told = told
        self._entries = entries

    def __iter__(self) -> Iterator[HistoryEntry]:
        return self._told.note_history(self._entries)


class _Places:
    """The place of the last result of each trial that has not ended."""

    def __init__(self) -> None:
        self.last: dict[str, tuple[int, int]] = {}

    def note(self, entry: HistoryEntry) -> tuple[int, int]:
        """Notes a result or an end, and returns the result's place."""
        if isinstance(entry, TellTrialEnd):
            self.last.pop(entry.trial_id, None)
        if not isinstance(entry, TellIntermediateResult):
            return (0, 0)
        attempt = self.last.get(entry.trial_id, (0, 0))[0] + (entry.index == 0)
        self.last[entry.trial_id] = place = (attempt, entry.index)
        return place

    def adopt(self, others: _Places) -> None:
        """Takes over places as if they had been noted here."""
        self.last.update(others.last)
