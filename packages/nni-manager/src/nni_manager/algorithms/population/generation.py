"""A generation: the members of a population that train side by side, and how well they did."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Member:
    """A member of the population in one generation.

    Attributes:
        parameters: What its trial gets, without the checkpoint directories.
        load: The checkpoint it starts from; that which it saves where it starts with nothing.
        save: The checkpoint it leaves behind.
        space_number: The search space that its parameters are of.
        loss: Its result, None while it has none.
        failed: Whether its trial failed, was stopped, or ended without a result.
    """

    parameters: dict[str, Any]
    load: str
    save: str
    space_number: int
    loss: float | None = None
    failed: bool = False

    @property
    def starts_anew(self) -> bool:
        """Whether there is no checkpoint to load."""
        return self.load == self.save


@dataclass(slots=True)
class Generation:
    """The members of one generation, by their index.

    Attributes:
        number: The number of the generation, from 0.
        members: The members.
        free: Those that no trial was asked for yet, the next one first.
        running: Those that have a trial, by the id of its parameters.
    """

    number: int
    members: list[Member]
    free: deque[int] = field(default_factory=deque)
    running: dict[int, int] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether the trial of every member has ended."""
        return not self.free and not self.running

    def hand_out(self, parameter_id: int, index: int | None = None) -> Member:
        """Notes that a member gets a trial.

        Args:
            parameter_id: The id of the trial's parameters; another member that has it is free again.
            index: The member, None for the next one.
        """
        before = self.running.pop(parameter_id, None)
        if before is not None:
            self.free.appendleft(before)
        if index is None:
            index = self.free.popleft()
        elif index in self.free:
            self.free.remove(index)
        self.running = {one: other for one, other in self.running.items() if other != index}
        self.running[parameter_id] = index
        return self.members[index]

    def end(self, parameter_id: int, success: bool) -> None:
        """Notes that the trial of a running member has ended."""
        member = self.members[self.running.pop(parameter_id)]
        member.failed = not success or member.loss is None

    def ranked(self) -> list[int]:
        """Returns the members, the best first and those that failed last."""
        return sorted(range(len(self.members)), key=self._rank)

    def _rank(self, index: int) -> tuple[bool, float, int]:
        member = self.members[index]
        loss = math.inf if member.failed or member.loss is None else member.loss
        return member.failed, loss, index


def winners_and_losers(generation: Generation, fraction: float) -> tuple[list[int], set[int]]:
    """Returns whom others copy from, and who copies.

    The best are copied by as many of the worst, and by all that failed. Who failed is never copied.

    Args:
        generation: A generation that has ended.
        fraction: Which part of the population the best and the worst are, rounded up, half of it at most.
    """
    ranked = generation.ranked()
    count = min(math.ceil(fraction * len(ranked) - 1e-9), len(ranked) // 2)
    failed = {index for index in ranked if generation.members[index].failed}
    good = [index for index in ranked if index not in failed]
    losers = failed | set(ranked[len(ranked) - count :])
    return good[: max(count, 1)], losers
