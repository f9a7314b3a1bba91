"""The courier's two pipes to the manager, one message a line, never blocking."""

from __future__ import annotations

import os
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
            ManagerGoneError: No more will come.
        """
        found: List[bytes] = []
        while True:
            try:
                data = os.read(self.descriptor, 1 << 18)
            except BlockingIOError:
                return found
            except OSError as error:
                raise ManagerGoneError from error
            if not data:
                raise ManagerGoneError
            first, *more = data.split(b"\n")
            self._unfinished.append(first)
            if more:
                found.append(b"".join(self._unfinished))
                found.extend(more[:-1])
                self._unfinished = [more[-1]]


_FLUSH_BYTES = 1 << 15


class LineWriter:
    """Writes lines to a descriptor, several at once, and keeps what does not fit yet."""

    def __init__(self, descriptor: int) -> None:
        """Makes the descriptor non-blocking."""
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._waiting = bytearray()

    @property
    def waiting_bytes(self) -> int:
        """How much the manager has not taken yet."""
        return len(self._waiting)

    def write(self, line: str) -> None:
        """Sends a line with the next `flush`, or before if that is much already.

        Raises:
            ManagerGoneError: Nobody reads it.
        """
        self._waiting += line.encode("ascii")
        self._waiting += b"\n"
        if len(self._waiting) > _FLUSH_BYTES:
            self.flush()

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
        except BlockingIOError:
            return
        except OSError as error:
            raise ManagerGoneError from error
