"""Things to be done later, unless what would do them has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timers:
    """Timers that are canceled together."""

    def __init__(self) -> None:
        """Has none yet."""
        self.is_over = False
        """Whether they were canceled."""
        self._timers: list[asyncio.TimerHandle] = []

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Has something done after a while, nothing once they were canceled."""
        if self.is_over:
            return
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if timer.when() > loop.time()]
        self._timers.append(loop.call_later(seconds, what))

    def cancel(self) -> None:
        """Has nothing done any more."""
        self.is_over = True
        for timer in self._timers:
            timer.cancel()
