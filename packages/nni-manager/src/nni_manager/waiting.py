"""Waiting with a limit, in tasks that can be canceled at any moment.

`asyncio.wait_for` of Python 3.11 and before loses a cancellation that comes together with what is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def happens_within(event: asyncio.Event, seconds: float | None) -> bool:
    """Waits for an event.

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


async def result_within(awaitable: Awaitable[T], seconds: float) -> T:
    """Waits for a result; what was not done in time is canceled.

    Args:
        awaitable: What gives it.
        seconds: How long it may take.

    Raises:
        asyncio.TimeoutError: It takes longer.
    """
    working = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait([working], timeout=seconds)
        if not working.done():
            raise asyncio.TimeoutError
        return working.result()
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
