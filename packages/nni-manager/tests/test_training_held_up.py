"""A manager that got no processor time says so."""

import asyncio
import time

import pytest
from nni_manager.training import held_up
from nni_manager.training.courier_connection import cancelled


async def test_a_beat_that_is_missed_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(held_up, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(held_up, "LATE_SECONDS", 0.3)
    task = asyncio.create_task(held_up.tell_when_held_up())
    await asyncio.sleep(0.05)
    time.sleep(0.4)  # what holds up is this
    while not caplog.records:
        await asyncio.sleep(0.01)
    await cancelled(task)
    assert "the manager was held up for 0 s" in caplog.text
