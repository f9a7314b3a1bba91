"""Records that are opened when something is asked of them, and closed when nothing is any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from nni_manager.experiments.errors import ShuttingDownError, StorageFailedError
from nni_manager.storage.interface import Storage, StorageError

_Result = TypeVar("_Result")
_LOG = logging.getLogger(__name__)
_THREADS = 4

MOST_OPEN = 8
"""How many records are open at most."""

IDLE_SECONDS = 30.0
"""How long a record stays open that nothing is asked of."""


@dataclass
class _OpenRecord:
    storage: Storage
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)


class OpenRecords:
    """Opens records for reading, at most MOST_OPEN at a time."""

    def __init__(self, open_storage: Callable[[Path], Storage]) -> None:
        """Opens none yet.

        Args:
            open_storage: Opens the record in a file for reading only.
        """
        self._open_storage = open_storage
        self._open: dict[Path, _OpenRecord] = {}
        self._lock = asyncio.Lock()
        self._freed = asyncio.Event()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="read-others")
        self._sweeping: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, database: Path, question: Callable[[Storage], _Result]) -> _Result:
        """Returns the answer to a question about a record, which is asked in a thread.

        Args:
            database: The record's file.
            question: Is given the open record.

        Raises:
            StorageFailedError: The record cannot be opened.
            ShuttingDownError: The manager is shutting down.
        """
        record = await self._taken(database)
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(self._threads, lambda: question(record.storage))
        # Whoever asked may go away. The thread goes on, and the record stays open until it is done.
        answer.add_done_callback(lambda _: self._release(record))
        return await asyncio.shield(answer)

    async def close_one(self, database: Path) -> None:
        """Closes a record, if it is open, after what is being asked of it."""
        while database in self._open:
            async with self._lock:
                record = self._open.get(database)
                if record is not None and not record.users:
                    await self._close(database)
                self._freed.clear()
            if database in self._open:
                await self._freed.wait()

    async def close(self) -> None:
        """Closes all records after what is being asked of them; later questions are refused."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for database in list(self._open):
            await self.close_one(database)
        self._freed.set()
        self._threads.shutdown()

    async def _taken(self, database: Path) -> _OpenRecord:
        while True:
            async with self._lock:
                if self._closed:
                    raise ShuttingDownError("the manager is shutting down")
                if database not in self._open and await self._has_room():
                    self._open[database] = await self._opened(database)
                    self._sweep_later()
                record = self._open.get(database)
                if record is not None:
                    record.users += 1
                    return record
                self._freed.clear()
            await self._freed.wait()

    async def _has_room(self) -> bool:
        """Returns whether one more may be open, after closing one that nothing is asked of if need be."""
        if len(self._open) < MOST_OPEN:
            return True
        unused = [path for path, record in self._open.items() if not record.users]
        if unused:
            await self._close(min(unused, key=lambda path: self._open[path].used_at))
        return bool(unused)

    async def _opened(self, database: Path) -> _OpenRecord:
        loop = asyncio.get_running_loop()
        try:
            return _OpenRecord(await loop.run_in_executor(self._threads, self._open_storage, database))
        except StorageError as error:
            raise StorageFailedError(str(error)) from error

    def _release(self, record: _OpenRecord) -> None:
        record.users -= 1
        record.used_at = time.monotonic()
        self._freed.set()

    async def _close(self, database: Path) -> None:
        record = self._open.pop(database)
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, record.storage.close)
        except StorageError as error:
            _LOG.warning("a record that was read did not close: %s", error)

    def _sweep_later(self) -> None:
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        while self._open:
            await asyncio.sleep(IDLE_SECONDS)
            async with self._lock:
                now = time.monotonic()
                for path, record in list(self._open.items()):
                    if not record.users and now - record.used_at >= IDLE_SECONDS:
                        await self._close(path)
