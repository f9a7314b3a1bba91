"""The events of an experiment on their way to the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from nni_manager.engine.events import Event
from nni_manager.waiting import happens_within


@dataclass(slots=True)
class QueuedEvent:
    """An event, and who waits until what it changes is stored.

    Attributes:
        event: The event.
        stored: Gets the number of results stored for this event, None when nobody waits.
    """

    event: Event
    stored: asyncio.Future[int] | None = None


@dataclass(slots=True)
class EventQueue:
    """Events in the order they came. It lives in one event loop."""

    _events: deque[QueuedEvent] = field(default_factory=deque)
    _wakeup: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: Event, stored: asyncio.Future[int] | None = None) -> None:
        """Adds an event."""
        self._events.append(QueuedEvent(event, stored))
        self._wakeup.set()

    def drop_all(self) -> None:
        """Forgets the events, which come from parts that are gone."""
        self._events.clear()

    async def take_all(self, timeout: float | None) -> list[QueuedEvent]:
        """Waits for at least one event, or until the time is over, and takes all there are.

        Args:
            timeout: Seconds to wait at most, None for as long as it takes.
        """
        if not self._events:
            await happens_within(self._wakeup, timeout)
        self._wakeup.clear()
        taken = list(self._events)
        self._events.clear()
        return taken
