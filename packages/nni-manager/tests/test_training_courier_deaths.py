from __future__ import annotations

import asyncio
import json

import pytest
from nni_manager.engine.events import Event, TrainingServiceFailed, TrialWaits
from nni_manager.training import courier_connection
from nni_manager.training.courier_connection import MAX_DEATHS, CourierConnection
from nni_manager.training.interface import TrainingServiceError


class DyingCourier:
    """Says that it works, then dies."""

    def __init__(self) -> None:
        self._words = [b'{"ready":{"version":"0","pid":1}}\n']

    async def read(self) -> bytes:
        return self._words.pop() if self._words else b""

    def write(self, data: bytes) -> None:
        pass

    async def stop(self, patience: float) -> str:
        return "killed by signal 9"


class Scene:
    """A connection whose couriers die, and what it emits."""

    def __init__(self) -> None:
        self.couriers = 0
        self.enough = asyncio.Event()
        self.events: list[Event] = []
        self.connection = CourierConnection(self._open, self._emit)

    async def _open(self) -> DyingCourier:
        self.couriers += 1
        if self.couriers > 2 * MAX_DEATHS:
            self.enough.set()
        return DyingCourier()

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self.enough.set()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(courier_connection, "_LONGEST_PAUSE", 0.0)
    return Scene()


async def test_couriers_that_die_at_once_are_given_up(scene: Scene) -> None:
    await scene.connection.open()
    await scene.enough.wait()
    assert scene.couriers == MAX_DEATHS
    (failure,) = scene.events
    assert isinstance(failure, TrainingServiceFailed)
    assert f"ended {MAX_DEATHS} times in a row: killed by signal 9" in failure.message
    await scene.connection.close()


class StillbornCourier(DyingCourier):
    """Dies before it says a word."""

    def __init__(self) -> None:
        self._words = []


class LastingCourier(DyingCourier):
    """Says that it works, and lives."""

    async def read(self) -> bytes:
        return self._words.pop() if self._words else await asyncio.Future()


async def test_a_first_courier_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_connection, "_LONGEST_PAUSE", 0.0)
    couriers = [LastingCourier(), StillbornCourier(), StillbornCourier()]
    events: list[Event] = []

    async def opened() -> DyingCourier:
        return couriers.pop()

    connection = CourierConnection(opened, events.append)
    await connection.open()
    assert couriers == []
    assert events == []
    await connection.close()


async def test_first_couriers_that_all_die_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_connection, "_LONGEST_PAUSE", 0.0)
    couriers: list[StillbornCourier] = []

    async def opened() -> StillbornCourier:
        couriers.append(StillbornCourier())
        return couriers[-1]

    connection = CourierConnection(opened, lambda event: None)
    with pytest.raises(TrainingServiceError, match="cannot be started: killed by signal 9"):
        await connection.open()
    assert len(couriers) == MAX_DEATHS


async def test_couriers_that_lived_long_are_always_replaced(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier_connection, "LASTING_SECONDS", 0.0)
    await scene.connection.open()
    await scene.enough.wait()
    assert scene.events == []
    await scene.connection.close()


async def test_a_trial_that_waits_is_launched_by_the_next_courier_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(courier_connection, "_FIRST_PAUSE", 0.0)
    told = asyncio.Event()
    events: list[Event] = []
    written: list[list[bytes]] = []

    class FullDisk(DyingCourier):
        def __init__(self) -> None:
            super().__init__()
            self.launched = asyncio.Event()
            self._waits = [b'{"waits":{"trialId":"abcde","attempt":1,"reason":"the disk is full"}}\n']
            written.append([])

        async def read(self) -> bytes:
            if self._words:
                return self._words.pop()
            await self.launched.wait()
            return self._waits.pop() if self._waits else b""

        def write(self, data: bytes) -> None:
            written[-1].append(data)
            self.launched.set()

    async def opened() -> FullDisk:
        return FullDisk()

    def emit(event: Event) -> None:
        events.append(event)
        if len(events) == 2:
            told.set()

    connection = CourierConnection(opened, emit)
    await connection.open()
    connection.launch("abcde", 1, b"launch\n")
    await told.wait()
    assert events == [TrialWaits("abcde", 1, "the disk is full")] * 2
    assert written[0][:1] == written[1][:1] == [b"launch\n"]
    await connection.close()


async def test_a_lost_connection_is_no_death_of_a_courier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_connection, "_FIRST_PAUSE", 0.0)

    class LostCourier(DyingCourier):
        async def stop(self, patience: float) -> str:
            return f"{courier_connection.CONNECTION_LOST}\nsomething it said before"

    class LosingScene(Scene):
        async def _open(self) -> DyingCourier:
            await super()._open()
            return LostCourier()

    scene = LosingScene()
    await scene.connection.open()
    await scene.enough.wait()
    assert (scene.couriers > 2 * MAX_DEATHS, scene.events) == (True, [])
    await scene.connection.close()


async def test_an_abandoned_trial_is_only_stopped() -> None:
    """Each courier is told to find and stop it; what is heard of it goes to nobody."""
    told = asyncio.Event()
    events: list[Event] = []
    written: list[bytes] = []

    class Talking(DyingCourier):
        def __init__(self) -> None:
            super().__init__()
            ended = '"trialId":"abcde","endTime":"2026-01-01T00:00:00Z"'
            self._words = [
                f'{{"ended":{{{ended}}}}}\n'.encode(),
                b'{"reported":{"trialId":"abcde","reports":[],"endOffset":"7"}}\n',
                b'{"started":{"trialId":"abcde","startTime":"2026-01-01T00:00:00Z","pid":1}}\n',
                *self._words,
            ]
            self._silent = asyncio.Event()

        async def read(self) -> bytes:
            if not self._words:
                await self._silent.wait()
            return self._words.pop()

        def write(self, data: bytes) -> None:
            written.append(data)

    async def opened() -> Talking:
        return Talking()

    connection = CourierConnection(opened, events.append)
    connection.abandon("abcde", 0, 2, 1.0, told.set)
    await connection.open()
    await told.wait()
    assert events == []
    assert [name for line in written for name in json.loads(line)] == ["adopt", "cancel", "acknowledge"]
    connection.adopt("abcde", 0, 0)  # nothing is known of it any more
    assert "adopt" in json.loads(written[-1])
    await connection.close()
