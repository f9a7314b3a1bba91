"""Runs an experiment in the foreground."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from nni_client.interrupts import interrupt_by


def run_in_foreground(run: Callable[[], object]) -> int:
    """Runs an experiment to its end; SIGTERM stops it as Ctrl-C does.

    Args:
        run: Runs it; returns True when it ended well, False when it failed, None when it was interrupted.

    Returns:
        The exit code: 0, 1, or 128 and the number of the signal that interrupted it.
    """
    received = [signal.SIGINT]

    def interrupt(number: int, frame: FrameType | None) -> None:
        received[0] = signal.Signals(number)
        interrupt_by(number)

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        result = run()
    finally:
        signal.signal(signal.SIGTERM, previous)
    if result is None:
        return 128 + received[0]
    return 0 if result else 1
