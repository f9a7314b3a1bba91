"""A few connections for reading, shared by all threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import LifoQueue

from nni_manager.storage.interface import StorageError

_CONNECTIONS = 4


class Readers:
    """Lends connections, each to one thread at a time; opens them when first needed."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._idle: LifoQueue[sqlite3.Connection | None] = LifoQueue()
        self._closed = False
        for _ in range(_CONNECTIONS):
            self._idle.put(None)

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection, waiting while all are in use.

        Raises:
            StorageError: The readers are closed, or no connection can be opened.
        """
        connection = self._idle.get()
        try:
            if self._closed:
                raise StorageError("the record is closed")
            if connection is None:
                connection = self._connect()
            yield connection
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Waits for the reads under way and closes the connections."""
        self._closed = True
        for connection in [self._idle.get() for _ in range(_CONNECTIONS)]:
            if connection is not None:
                connection.close()
        for _ in range(_CONNECTIONS):
            self._idle.put(None)
