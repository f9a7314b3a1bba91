"""Waiting for an event with a limit, in tasks that are canceled."""

from __future__ import annotations

import asyncio


async def happens_within(event: asyncio.Event, seconds: float | None) -> bool:
    """Waits for an event, and can be canceled at any moment.

    `asyncio.wait_for` of Python 3.11 and before loses a cancellation that comes together with the event.

    Args:
        event: The event.
        seconds: How long it is waited for at most; None for as long as it takes.

    Returns:
        Whether it is set.
    """
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait([waiting], timeout=seconds)
    finally:
        waiting.cancel()
    return event.is_set()
