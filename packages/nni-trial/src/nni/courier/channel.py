"""The courier's two pipes to the manager, one message a line, never blocking."""

from __future__ import annotations

import os
import time
from typing import List


class ManagerGoneError(Exception):
    """The manager closed its end."""


class LineReader:
    """Cuts what arrives at a descriptor into lines."""

    def __init__(self, descriptor: int) -> None:
        """Makes the descriptor non-blocking."""
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._unfinished: List[bytes] = []

    def lines(self) -> List[bytes]:
        """Returns the lines that are complete now.

        Raises:
            ManagerGoneError: No more will come, and all that came were returned.
        """
        found: List[bytes] = []
        while True:
            try:
                data = os.read(self.descriptor, 1 << 18)
            except BlockingIOError:
                return found
            except OSError as error:
                if found:
                    return found
                raise ManagerGoneError from error
            if not data:
                if found:
                    return found
                raise ManagerGoneError
            first, *more = data.split(b"\n")
            self._unfinished.append(first)
            if more:
                found.append(b"".join(self._unfinished))
                found.extend(more[:-1])
                self._unfinished = [more[-1]]


LEISURE_SECONDS = 0.02
"""How long a line may wait for others that go with it."""

_NEVER = float("inf")
_FLUSH_BYTES = 1 << 15


class LineWriter:
    """Writes lines to a descriptor, several at once, and keeps what does not fit yet.

    Attributes:
        descriptor: The descriptor.
        is_blocked: Whether there is more than the manager takes now.
    """

    def __init__(self, descriptor: int) -> None:
        """Makes the descriptor non-blocking."""
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.is_blocked = False
        self._waiting = bytearray()
        self._due = _NEVER

    @property
    def waiting_bytes(self) -> int:
        """How much the manager has not taken yet."""
        return len(self._waiting)

    def write(self, line: str, at_leisure: bool = False) -> None:
        """Sends a line when it is due, or before if that is much already.

        Args:
            line: The line.
            at_leisure: It need not go before LEISURE_SECONDS are over, if no other line is due sooner.

        Raises:
            ManagerGoneError: Nobody reads it.
        """
        self._waiting += line.encode("ascii")
        self._waiting += b"\n"
        self._due = min(self._due, time.monotonic() + LEISURE_SECONDS if at_leisure else 0.0)
        if len(self._waiting) > _FLUSH_BYTES:
            self.flush()

    def flush_due(self) -> float:
        """Sends what is due, with all that waits. Returns the seconds until more is due, infinite for never.

        Raises:
            ManagerGoneError: Nobody reads it.
        """
        remaining = self._due - time.monotonic()
        if remaining > 0:
            return remaining
        self.flush()
        return _NEVER

    def flush(self) -> None:
        """Sends what there is room for.

        Raises:
            ManagerGoneError: Nobody reads it.
        """
        try:
            while self._waiting:
                with memoryview(self._waiting) as view:
                    sent = os.write(self.descriptor, view[: 1 << 18])
                del self._waiting[:sent]
            self.is_blocked, self._due = False, _NEVER
        except BlockingIOError:
            self.is_blocked, self._due = True, _NEVER
        except OSError as error:
            raise ManagerGoneError from error
