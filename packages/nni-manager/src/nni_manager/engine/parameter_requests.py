"""The bookkeeping of what the tuner was asked for and what it answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class ParameterRequests:
    """Every id that the tuner was asked for ends as exactly one of created, refused or withdrawn.

    Attributes:
        unanswered: Ids that the tuner has not answered yet.
        owed: Ids that it has refused for now; it may still propose parameters for them.
        may_ask: Whether asking again can help: the tuner has heard something new since it last refused.
        exhausted: Whether the tuner's last answer was a refusal.
        created_count: How many ids became trials.
        refused_count: How many ids were refused for good.
        withdrawn_count: How many ids were taken back because no trial may start any more.
        last_told: The number of the last call to the tuner.
        last_processed: The number of the last call that the tuner has dealt with.
    """

    unanswered: set[int] = field(default_factory=set)
    owed: set[int] = field(default_factory=set)
    may_ask: bool = True
    exhausted: bool = False
    created_count: int = 0
    refused_count: int = 0
    withdrawn_count: int = 0
    last_told: int = 0
    last_processed: int = 0

    @property
    def tuner_is_idle(self) -> bool:
        """Whether the tuner has dealt with everything it was told."""
        return self.last_processed >= self.last_told and not self.unanswered

    def next_call_number(self) -> int:
        """Returns the number of the next call to the tuner."""
        self.last_told += 1
        return self.last_told

    def answer(self, parameter_id: int) -> bool:
        """Takes an id off the books; False when it was not asked for or was answered before."""
        for ids in (self.unanswered, self.owed):
            if parameter_id in ids:
                ids.remove(parameter_id)
                return True
        return False

    def refuse(self, parameter_ids: Iterable[int]) -> None:
        """Notes that the tuner has no parameters for these ids for now."""
        refused = self.unanswered.intersection(parameter_ids)
        self.unanswered -= refused
        self.owed |= refused
        self.may_ask = False
        self.exhausted = True

    def close(self, *, refused: bool) -> None:
        """Ends every open id: those owed as refused or withdrawn, the unanswered ones as withdrawn."""
        if refused:
            self.refused_count += len(self.owed)
        else:
            self.withdrawn_count += len(self.owed)
        self.withdrawn_count += len(self.unanswered)
        self.owed.clear()
        self.unanswered.clear()
