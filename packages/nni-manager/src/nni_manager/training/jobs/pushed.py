"""What jobs tell the manager over the network, beside the files in the shared storage.

The files stay what counts. A job appends to its file of events first and then sends the same bytes with
their position; the manager appends to a job's file of orders first and then lets the job have them. So what
comes over the network is never anything but a part of a file, told earlier than the storage is looked at
again. It is kept here until whoever follows the job reads it: for him there is one file.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError
from nni_manager.waiting import happens_within

MOST_KEPT = 16 << 20
"""How many bytes of a job are kept at most that nobody has read; more are read from the storage."""

ORDERS_LIMIT = 4 << 20
"""How many bytes of orders are told at once."""

_AGAIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


class UnknownJobError(Exception):
    """Nobody follows a job of this name."""


class PushedFiles:
    """The shared files of an experiment, of which one job's events are known early.

    Attributes:
        on_pushed: Is called, in the event loop, when events came that can be read now.
    """

    def __init__(self, files: SharedFiles, job: str) -> None:
        """Makes the files of a job, in the event loop that it is called from.

        Args:
            files: The files in the storage.
            job: The job's name.
        """
        self.on_pushed: Callable[[], None] = lambda: None
        self._files = files
        self._events = f"spool/{job}/events.jsonl"
        self._orders = f"spool/{job}/orders.jsonl"
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._start = 0
        self._kept = bytearray()
        self._known = 0
        self._order_size: int | None = None
        self._newest_order = (0, b"")
        self._ordered = asyncio.Event()
        self._is_closed = False

    @property
    def costs_requests(self) -> bool:
        """Whether looking at files is a request to a server."""
        return self._files.costs_requests

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Returns what a file holds from a position on; of the events perhaps only the next lines."""
        if name != self._events:
            return self._files.read(name, offset, limit)
        if lines := self._kept_lines(offset, limit):
            return lines
        data = self._files.read(name, offset, limit)
        with self._lock:
            self._known = max(self._known, offset + _whole(data))
        return data

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes; orders are told to the job then."""
        self._files.append(name, data, position)
        if name == self._orders:
            self._loop.call_soon_threadsafe(self._note_orders, position, data)

    def size(self, name: str) -> int:
        """Returns how many bytes a file has."""
        size = self._files.size(name)
        if name == self._orders:
            self._loop.call_soon_threadsafe(self._note_orders, size, b"")
        return size

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, whole or not at all."""
        self._files.write(name, data)

    def upload(self, local: Path, name: str) -> None:
        """Puts a local file there."""
        self._files.upload(local, name)

    def download(self, name: str, local: Path) -> None:
        """Fetches a file."""
        self._files.download(name, local)

    def names(self, folder: str = "") -> list[str]:
        """Returns the files in a folder."""
        return self._files.names(folder)

    def sizes(self, folder: str = "") -> Mapping[str, int]:
        """Returns the files in a folder with their sizes."""
        return self._files.sizes(folder)

    def grown(self, folder: str, known: Mapping[str, int]) -> set[str]:
        """Returns which files in the storage hold more than so many bytes."""
        return self._files.grown(folder, known)

    def remove(self, name: str) -> None:
        """Removes a file or a folder."""
        self._files.remove(name)

    def remove_empty_folders(self) -> None:
        """Removes folders without a file."""
        self._files.remove_empty_folders()

    def take(self, position: int, data: bytes) -> int:
        """Takes bytes of the file of events.

        Args:
            position: Where they begin.
            data: The bytes; what is known already of them is passed over.

        Returns:
            Up to where the events are known. If that is before `position`, nothing was taken.
        """
        with self._lock:
            new = data[self._known - position :] if position <= self._known else b""
            new = new.partition(b"\0")[0]  # a storage may show a length before it has the content
            if new:
                if self._start + len(self._kept) != self._known or len(self._kept) > MOST_KEPT:
                    self._start, self._kept = self._known, bytearray()
                self._kept += new
                self._known += len(new)
            known = self._known
        if new:
            self.on_pushed()
        return known

    async def orders(self, position: int, wait_seconds: float) -> bytes:
        """Returns what the file of orders holds from a position on, b"" if nothing comes in time."""
        end = self._loop.time() + wait_seconds
        while not self._is_closed:
            self._ordered.clear()
            pause = wait_seconds
            if self._order_size is not None and position < self._order_size:
                try:
                    return await self._orders_from(position, self._order_size)
                except SharedStorageError as error:
                    logger.warning("orders of a job cannot be read, trying again: %s", error)
                    pause = _AGAIN_SECONDS
            left = end - self._loop.time()
            if left <= 0:
                break
            await happens_within(self._ordered, min(left, pause))
        return b""

    def close(self) -> None:
        """Lets those that wait for orders go."""
        self._is_closed = True
        self._ordered.set()

    def _kept_lines(self, offset: int, limit: int | None) -> bytes:
        with self._lock:
            if not self._start <= offset < self._start + len(self._kept):
                return b""
            del self._kept[: offset - self._start]
            self._start = offset
            lines = bytes(self._kept[:limit])
            return lines[: lines.rfind(b"\n") + 1]

    def _note_orders(self, position: int, data: bytes) -> None:
        self._order_size = max(self._order_size or 0, position + len(data))
        if data:
            self._newest_order = (position, data)
        self._ordered.set()

    async def _orders_from(self, position: int, size: int) -> bytes:
        start, data = self._newest_order
        if start <= position < start + len(data):
            return data[position - start :]
        length = min(ORDERS_LIMIT, size - position)
        return await asyncio.to_thread(self._files.read, self._orders, position, length)


class PushedEvents:
    """The jobs of this manager that may speak to it over the network."""

    def __init__(self) -> None:
        self._jobs: dict[str, PushedFiles] = {}

    def open(self, job: str, files: SharedFiles) -> PushedFiles:
        """Lets a job speak to the manager from now on.

        Args:
            job: The job's name.
            files: The files that it and the manager share.

        Returns:
            The same files, of which the job's events are known early.
        """
        pushed = PushedFiles(files, job)
        self._jobs[job] = pushed
        return pushed

    def forget(self, job: str) -> None:
        """Ends that, when nobody follows the job any more."""
        pushed = self._jobs.pop(job, None)
        if pushed is not None:
            pushed.close()

    def append(self, job: str, position: int, data: bytes) -> int:
        """Takes bytes of a job's file of events; see PushedFiles.take.

        Raises:
            UnknownJobError: Nobody follows the job.
        """
        return self._find(job).take(position, data)

    async def orders(self, job: str, position: int, wait_seconds: float) -> bytes:
        """Returns what a job's file of orders holds from a position on; see PushedFiles.orders.

        Raises:
            UnknownJobError: Nobody follows the job.
        """
        return await self._find(job).orders(position, wait_seconds)

    def close(self) -> None:
        """Lets all jobs go."""
        for job in list(self._jobs):
            self.forget(job)

    def _find(self, job: str) -> PushedFiles:
        pushed = self._jobs.get(job)
        if pushed is None:
            raise UnknownJobError(f"this manager follows no job {job!r}")
        return pushed


def _whole(data: bytes) -> int:
    """Returns the length of the whole lines in data, before a hole in it."""
    return data.partition(b"\0")[0].rfind(b"\n") + 1
