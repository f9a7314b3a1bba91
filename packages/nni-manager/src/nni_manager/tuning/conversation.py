"""What the manager needs of the way to an algorithm, wherever that runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse

from nni_manager.tuning.interface import AlgorithmSettings

SECONDS_TO_EXIT = 5.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How an algorithm's process ended, or why it cannot be talked to any more.

    Attributes:
        message: How, in words.
        last_lines: What its log ends with, "" when that explains nothing.
        cause: "signal 9", "exit code 3" or "lost connection"; "" when it did not end by itself, and when it
            is no use to make it anew.
    """

    message: str
    last_lines: str = ""
    cause: str = ""


class Conversation(Protocol):
    """The messages to one life of an algorithm.

    Attributes:
        last_number: The number of the last message that was sent.
    """

    last_number: int

    @property
    def pid(self) -> int | None:
        """The process, None for one that is not ours."""

    def send(self, request: AlgorithmRequest) -> int:
        """Sends a message soon and returns the number it gets; it is dropped when the algorithm has ended.

        Raises:
            ValueError: The message is too large.
        """

    async def send_all(self, messages: list[bytes]) -> bool:
        """Sends messages that have their numbers, and returns once there is room for more.

        Args:
            messages: The messages as bytes.

        Returns:
            False when the algorithm has ended.
        """

    def finish(self) -> None:
        """Lets the algorithm know that nothing more will be sent, which it waits for after its last words."""

    async def close(self, grace_seconds: float = SECONDS_TO_EXIT) -> None:
        """Asks the algorithm to end, waits, and ends it."""


Take = Callable[[AlgorithmResponse], None]
"""Gets what an algorithm answers."""

Ended = Callable[[Ending], None]
"""Gets the end of an algorithm, after all it answered; perhaps more than once."""

Connect = Callable[[AlgorithmSettings, Take, Ended], Awaitable[Conversation]]
"""Makes one life of an algorithm."""
