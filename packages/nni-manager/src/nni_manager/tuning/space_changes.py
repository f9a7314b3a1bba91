"""The changes of the search space that an algorithm was told, and its answers."""

from __future__ import annotations

import asyncio

from nni_manager.tuning.history_frames import Piece

TAKEN = ""


class SpaceChanges:
    """By the numbers of their calls: "" when taken, why when refused, nothing while not answered."""

    def __init__(self) -> None:
        self._answers: dict[int, str] = {}
        self._waiting: dict[int, asyncio.Future[str | None]] = {}
        self._numbers: dict[int, int] = {}

    def __contains__(self, call_number: int) -> bool:
        return call_number in self._answers or call_number in self._numbers.values()

    def told(self, message_number: int, call_number: int) -> None:
        """Notes a change that was told in a message."""
        self._numbers[message_number] = call_number

    def told_before(self, piece: Piece) -> None:
        """Notes the changes in a part of a history."""
        self._numbers.update(piece.space_changes)
        self._answers.update(piece.untold_space_changes)

    def refused(self, message_number: int, reason: str) -> None:
        """Takes the answer that the algorithm cannot."""
        if message_number in self._numbers:
            self.answer(self._numbers.pop(message_number), reason)

    def taken(self, message_number: int) -> None:
        """Takes note that a message was dealt with: what was not refused was taken."""
        if message_number in self._numbers:
            self.answer(self._numbers.pop(message_number), TAKEN)

    def taken_all(self) -> None:
        """Takes note that everything told so far was dealt with."""
        for message_number in list(self._numbers):
            self.taken(message_number)

    def answer(self, call_number: int, answer: str) -> None:
        """Notes the answer to a change."""
        self._answers[call_number] = answer
        waiting = self._waiting.pop(call_number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def give_up(self) -> None:
        """Tells those who wait that there will be no more answers."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def answer_to(self, call_number: int) -> str | None:
        """Returns the answer to a change, None when there is none."""
        return self._answers.get(call_number)

    async def wait(self, call_number: int) -> str | None:
        """Returns the answer to a change that was told, None when there will be none."""
        if call_number in self._answers:
            return self._answers[call_number]
        waiting: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting[call_number] = waiting
        return await waiting
