"""Ctrl-C, noted at any moment and raised only where it does no harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

_cause = signal.SIGINT


def interrupt_by(signal_number: int) -> None:
    """Interrupts this process as Ctrl-C does, because of another signal."""
    global _cause
    _cause = signal.Signals(signal_number)
    signal.raise_signal(signal.SIGINT)


class Interrupts:
    """Within its block Ctrl-C is counted, and raised as KeyboardInterrupt within `raised_here` only.

    It changes nothing outside the main thread, and nothing where the user handles SIGINT.

    Attributes:
        count: How many times Ctrl-C was pressed.
        cause: The signal that was the latest interrupt, SIGINT but for those of `interrupt_by`.
    """

    def __init__(self) -> None:
        self.count = 0
        self.cause = signal.SIGINT
        self._raised = 0
        self._armed = False
        self._previous: Any = None

    def __enter__(self) -> Interrupts:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    @contextmanager
    def raised_here(self) -> Iterator[None]:
        """Raises KeyboardInterrupt as soon as Ctrl-C is pressed, at once when it was before."""
        self._armed = True
        try:
            self.check()
            yield
        finally:
            self._armed = False

    def check(self) -> None:
        """Raises KeyboardInterrupt when Ctrl-C was pressed since it was last raised."""
        if self.count > self._raised:
            self._raised = self.count
            raise KeyboardInterrupt

    def _note(self, signal_number: int, frame: FrameType | None) -> None:
        global _cause
        self.count += 1
        self.cause, _cause = _cause, signal.SIGINT
        if self._armed:
            self.check()
