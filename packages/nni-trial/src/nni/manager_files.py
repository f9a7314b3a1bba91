"""The files of a job, of which the manager knows early when it can be reached.

The files in the shared storage stay what counts. What was appended to the events there is then told to the
manager as well, the same bytes at the same position; and what the manager has appended to the orders it tells
the job when that asks. So either way may fail at any time, and nothing is lost, doubled or out of order.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any, List, Optional

from nni.blob_error import BlobError
from nni.manager_calls import ManagerAwayError, ManagerCalls, ManagerRefusedError
from nni.spool_files import EVENTS, ORDERS

WAIT_SECONDS = 50.0
"""How long one call waits for orders."""

LOOK_SECONDS = 20.0
"""How often the storage is looked at for orders while the manager tells them."""

AGAIN_SECONDS = 60.0
"""How often a manager that is away is tried again."""

CLOSE_SECONDS = 3.0
"""How long the last events may take to reach the manager; they are in the storage already."""

_PIECE = 1 << 20
_LEAST_WAIT = 1.0
_PAUSE = 5.0


class ManagerFiles:
    """Files with `read`, `size` and `append`, of which one job's events are told to the manager."""

    def __init__(self, files: Any, job: str, telling: ManagerCalls, asking: ManagerCalls) -> None:
        """Asks nothing yet.

        Args:
            files: The storage.
            job: The job's name.
            telling: The connection by which the manager is told of events.
            asking: The one by which it is asked for orders.
        """
        self._files = files
        self._events, self._orders = f"spool/{job}/{EVENTS}", f"spool/{job}/{ORDERS}"
        self._telling, self._asking = telling, asking
        self._changed = threading.Condition()
        # All below is changed under `_changed`. Positions are of the events, and then of the orders.
        self._stored = 0
        self._told: Optional[int] = None
        self._recent, self._recent_start = b"", 0
        self._kept, self._kept_end = b"", 0
        self._look_at = 0.0
        self._notes: List[bytes] = []
        self._has_reached = False
        self._has_complained = False
        self._is_closed = False

    def start(self) -> None:
        """Tries to reach the manager from now on, in threads of its own."""
        for work in (self._tell_all, self._ask_all):
            threading.Thread(target=work, name=work.__name__, daemon=True).start()

    def notes(self) -> List[bytes]:
        """Returns lines for the events that say what is amiss, each once."""
        with self._changed:
            notes, self._notes = self._notes, []
        return notes

    def read(self, name: str, offset: int = 0, limit: Optional[int] = None) -> bytes:
        """Returns what a file holds from a position on; of the orders perhaps only the next lines."""
        if name != self._orders:
            return self._read(name, offset, limit)
        with self._changed:
            behind = self._kept_end - offset
            if 0 < behind <= len(self._kept):
                self._kept = self._kept[-behind:]
                lines = self._kept[:limit]
                lines = lines[: lines.rfind(b"\n") + 1]
                if lines:
                    return lines
            elif limit is not None and self._told is not None and time.monotonic() < self._look_at:
                return b""
            self._look_at = time.monotonic() + LOOK_SECONDS
        data = self._read(name, offset, limit)
        with self._changed:
            end = offset + data.partition(b"\0")[0].rfind(b"\n") + 1
            if end > self._kept_end:
                self._kept, self._kept_end = b"", end
        return data

    def size(self, name: str) -> int:
        """Returns how many bytes a file has."""
        size: int = self._files.size(name)
        if name == self._events:
            self._note_stored(size, b"")
        return size

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes."""
        self._files.append(name, data, position)
        if name == self._events:
            self._note_stored(position, data)

    def close(self) -> None:
        """Ends this; a manager that was there gets a moment to hear the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._told is None or self._told >= self._stored, CLOSE_SECONDS)
            self._is_closed = True
            self._changed.notify_all()

    def _read(self, name: str, offset: int, limit: Optional[int]) -> bytes:
        data: bytes = self._files.read(name, offset, limit)
        return data

    def _note_stored(self, position: int, data: bytes) -> None:
        with self._changed:
            if position != self._recent_start + len(self._recent):
                self._recent, self._recent_start = b"", position
            self._recent += data
            excess = max(0, len(self._recent) - _PIECE)
            self._recent, self._recent_start = self._recent[excess:], self._recent_start + excess
            self._stored = position + len(data)
            self._changed.notify_all()

    def _tell_all(self) -> None:
        """Tells the manager what is stored, as soon as it is."""
        pause = AGAIN_SECONDS
        while not self._is_closed:
            try:
                self.tell_next()
                pause = _LEAST_WAIT
            except (ManagerAwayError, ManagerRefusedError) as error:
                self._lose(error)
                is_refused = isinstance(error, ManagerRefusedError) and error.status in (401, 403)
                self._wait(AGAIN_SECONDS if is_refused else pause)
                pause = min(pause * 2, AGAIN_SECONDS)
            except (BlobError, OSError) as error:  # of the storage, which the job deals with
                self._lose(error)
                self._wait(_PAUSE)
        self._telling.close()

    def tell_next(self) -> None:
        """Waits until something is stored that the manager has not heard, and tells a piece of it.

        Raises:
            ManagerAwayError: It does not answer.
            ManagerRefusedError: It refuses.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._told is None or self._told < self._stored)
            told, stored = self._told, self._stored
        if self._is_closed:
            return
        if told is None:
            known = self._telling.append_events(0, b"")
        else:
            known = self._telling.append_events(told, self._piece(told, stored))
        with self._changed:
            is_stuck = self._told is not None and known == told
            self._told = known
            self._has_reached = True
            self._changed.notify_all()
        if is_stuck:
            self._wait(_LEAST_WAIT)

    def _piece(self, position: int, end: int) -> bytes:
        with self._changed:
            start = position - self._recent_start
            if 0 <= start < len(self._recent):
                return self._recent[start : start + _PIECE]
        return self._read(self._events, position, min(_PIECE, end - position)).partition(b"\0")[0]

    def _ask_all(self) -> None:
        """Asks the manager for orders, one call after another, while it can be reached."""
        pause = _LEAST_WAIT
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._told is not None)
                position = self._kept_end
            if self._is_closed:
                break
            began = time.monotonic()
            try:
                data = self._asking.read_orders(position, WAIT_SECONDS).partition(b"\0")[0]
            except (ManagerAwayError, ManagerRefusedError):
                with self._changed:
                    self._told = None  # it is tried again by who tells it
                    self._changed.notify_all()
                self._wait(pause)
                pause = min(pause * 2, AGAIN_SECONDS)
                continue
            pause = _LEAST_WAIT
            with self._changed:
                new = data[self._kept_end - position :]
                self._kept, self._kept_end = self._kept + new, self._kept_end + len(new)
            if not data and time.monotonic() - began < _LEAST_WAIT:
                self._wait(_PAUSE)  # it is about to end
        self._asking.close()

    def _lose(self, error: Exception) -> None:
        """Notes that the manager cannot be reached, and says so if that never worked and was not said."""
        with self._changed:
            self._told = None
            self._changed.notify_all()
            if self._has_reached or self._has_complained:
                return
            self._has_complained = True
            message = (
                f"the manager cannot be reached at {self._telling.address} ({error}); it is told by the "
                f"shared storage alone, and tried again every {AGAIN_SECONDS:.0f} seconds"
            )
            self._notes.append(json.dumps({"problem": {"message": message}}).encode("ascii"))

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, seconds)
