from __future__ import annotations

import asyncio

import pytest
from nni_manager.waiting import happens_within


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_together_with_the_event_is_not_lost(turns: int) -> None:
    event = asyncio.Event()

    async def loop() -> None:
        while True:
            await happens_within(event, 60.0)
            event.clear()

    task = asyncio.create_task(loop())
    for _ in range(5):
        await asyncio.sleep(0)
    event.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()


async def test_it_says_whether_the_event_came() -> None:
    event = asyncio.Event()
    assert not await happens_within(event, 0.01)
    waiting = asyncio.create_task(happens_within(event, None))
    await asyncio.sleep(0)
    event.set()
    assert await waiting and await happens_within(event, 0.0)
