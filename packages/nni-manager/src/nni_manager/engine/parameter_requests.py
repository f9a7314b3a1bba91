"""The bookkeeping of what the tuner was asked for and what it answered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ParameterRequests:
    """Every id that the tuner was asked for becomes a trial, is withdrawn, or stays owed or held.

    Attributes:
        unanswered: Ids that the tuner has not answered yet.
        owed: Ids that it has refused for now; it may still propose parameters for them, also when the
            experiment has ended and goes on.
        held: Parameters by id that came when no trial might be created. The tuner counts on them, so they
            become trials once some may be created.
        may_ask: Whether asking again can help: the tuner has heard something new since it last refused.
        exhausted: Whether the tuner's last answer was a refusal.
        refusal: Why it refused last, in its own words, "" when it did not say.
        created_count: How many ids became trials.
        withdrawn_count: How many ids were taken back because no trial may start any more.
        last_number: The last number that was given to a call to the tuner.
        last_told: The number of the last call that the tuner was told, or is being told beside the engine.
        last_asked: The number of the last call that asked it for parameters.
        last_news: The number of the last call after which it may have more than before.
        last_processed: The number of the last call that the tuner has dealt with.
        reserved: The number of the last call that is made beside the engine, 0 once that is noted.
    """

    unanswered: set[int] = field(default_factory=set)
    owed: set[int] = field(default_factory=set)
    held: dict[int, Any] = field(default_factory=dict)
    may_ask: bool = True
    exhausted: bool = False
    refusal: str = ""
    created_count: int = 0
    withdrawn_count: int = 0
    last_number: int = 0
    last_told: int = 0
    last_asked: int = 0
    last_news: int = 0
    last_processed: int = 0
    reserved: int = 0

    @property
    def tuner_is_idle(self) -> bool:
        """Whether the tuner has dealt with everything it was told."""
        return self.last_processed >= self.last_told and not self.unanswered

    def next_call_number(self) -> int:
        """Returns the number of the next call to the tuner."""
        self.last_number += 1
        return self.last_number

    def reserve_call_number(self) -> int:
        """Returns the number for a call that is made beside the engine."""
        self.reserved = self.last_told = self.next_call_number()
        return self.reserved

    def take_reserved_number(self) -> int:
        """Returns the number of the call that was made beside the engine; a new one where none was."""
        number, self.reserved = self.reserved or self.next_call_number(), 0
        return number

    def answer(self, parameter_id: int) -> bool:
        """Takes an id off the books; False when it was not asked for or was answered before."""
        for ids in (self.unanswered, self.owed):
            if parameter_id in ids:
                ids.remove(parameter_id)
                return True
        return False

    def refuse(self, parameter_ids: Iterable[int]) -> set[int]:
        """Notes that the tuner has no parameters for these ids for now; returns those it was asked for."""
        refused = self.unanswered.intersection(parameter_ids)
        if refused:
            self.unanswered -= refused
            self.owed |= refused
            # A refusal that crosses news on its way does not know of them.
            self.may_ask = self.last_news > self.last_asked
            self.exhausted = True
        return refused

    def withdraw(self) -> tuple[int, ...]:
        """Takes back the ids that the tuner has not answered, and returns them."""
        withdrawn = tuple(sorted(self.unanswered))
        self.withdrawn_count += len(withdrawn)
        self.unanswered.clear()
        return withdrawn
