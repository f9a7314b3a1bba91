"""The queue of an experiment's events lets go of who waits for one."""

from __future__ import annotations

import asyncio

import pytest
from nni_manager.engine.events import TimePassed
from nni_manager.experiments.event_queue import EventQueue


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_together_with_an_event_is_not_ignored(turns: int) -> None:
    """Else the manager's end would wait for a loop that goes on for good."""
    queue = EventQueue()

    async def drain() -> None:
        while True:
            await queue.take_all(60.0)

    task = asyncio.create_task(drain())
    for _ in range(5):
        await asyncio.sleep(0)
    queue.put(TimePassed(1.0))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


async def test_events_come_in_order_and_nothing_comes_in_time() -> None:
    queue = EventQueue()
    assert await queue.take_all(0.01) == []
    task = asyncio.create_task(queue.take_all(None))
    await asyncio.sleep(0)
    for at in (1.0, 2.0):
        queue.put(TimePassed(at))
    assert [item.event for item in await task] == [TimePassed(1.0), TimePassed(2.0)]
