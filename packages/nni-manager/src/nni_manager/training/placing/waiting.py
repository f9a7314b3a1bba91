"""The trials that wait for a place, and what they are told of why."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import dataclass

from nni_manager.engine.events import TrialWaits
from nni_manager.training.interface import Emit, TrialRun
from nni_manager.training.placement import Attempt, Placements
from nni_manager.training.waiting_reasons import waiting_reason

TELL_SECONDS = 1.0
"""How long a reason stands at least before another is told."""

MOST_TOLD = 500
"""How many trials are told of a changed reason at a time; the next ones follow TELL_SECONDS later."""


@dataclass(slots=True)
class _Entry:
    run: TrialRun
    told: str = ""


class WaitingTrials:
    """Trials in the order in which they start. All of them wait for the same reason."""

    def __init__(self, placements: Placements, emit: Emit) -> None:
        """Begins with none.

        Args:
            placements: Where they wait for room.
            emit: Gets TrialWaits.
        """
        self.obstacle = ""
        """What keeps trials from starting although there may be room, "" when nothing does."""
        self._placements = placements
        self._emit = emit
        self._entries: OrderedDict[Attempt, _Entry] = OrderedDict()
        self._to_tell: deque[Attempt] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""
        self._reason_version = -1
        self._told_reason = ""

    def __len__(self) -> int:
        """Returns how many wait."""
        return len(self._entries)

    def __contains__(self, attempt: Attempt) -> bool:
        """Returns whether an attempt waits."""
        return attempt in self._entries

    def add(self, run: TrialRun) -> None:
        """Puts a trial behind the others."""
        self._entries[run.trial_id, run.attempt] = _Entry(run)

    def add_first(self, run: TrialRun) -> None:
        """Puts a trial before the others."""
        self.add(run)
        self._entries.move_to_end((run.trial_id, run.attempt), last=False)

    def first(self) -> Attempt:
        """Returns the one that starts next; there is one."""
        return next(iter(self._entries))

    def take_first(self) -> TrialRun:
        """Removes the one that starts next and returns it; there is one."""
        return self._entries.popitem(last=False)[1].run

    def remove(self, attempt: Attempt) -> bool:
        """Removes a trial; returns whether it waited."""
        return self._entries.pop(attempt, None) is not None

    def tell(self, attempt: Attempt) -> None:
        """Tells why a trial waits, if it does and that is news."""
        entry = self._entries.get(attempt)
        reason = self._why()
        if entry is not None and entry.told != reason:
            entry.told = reason
            self._emit(TrialWaits(*attempt, reason))

    def changed(self) -> None:
        """Has the trials told soon, if they wait for another reason now."""
        if self._entries and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell_some)

    def close(self) -> None:
        """Tells nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell_some(self) -> None:
        self._timer = None
        reason = self._why()
        if not self._to_tell and reason != self._told_reason:
            self._told_reason = reason
            self._to_tell.extend(self._entries)
        for _ in range(min(MOST_TOLD, len(self._to_tell))):
            self.tell(self._to_tell.popleft())
        if self._to_tell or reason != self._told_reason:
            self.changed()

    def _why(self) -> str:
        if self.obstacle:
            return self.obstacle
        if self._reason_version != self._placements.version:
            self._reason_version = self._placements.version
            self._reason = waiting_reason(self._placements, time.time())
        return self._reason
