"""A platform that is away when an experiment is resumed whose trials run in its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.events import (
    TrainingServiceFailed,
    TrialEnded,
    TrialReported,
    TrialStarted,
    TrialWaits,
)
from nni_manager.testing.fake_job_platform import FakeCluster, FakePlatform
from nni_manager.testing.job_place import JobPlace
from nni_manager.training.host import HostAwayError, HostChanged, HostEvent
from nni_manager.training.interface import TrainingServiceError, TrialRun
from nni_manager.training.jobs.late_start import LateStartHost
from nni_manager.training.jobs.platform import PlatformAwayError

TRIAL = "echo ran; while [ ! -e go ]; do sleep 0.05; done"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    cluster = FakeCluster(tmp_path / "cluster")
    yield cluster
    cluster.end_all()


@pytest.fixture
def place(tmp_path: Path, cluster: FakeCluster) -> JobPlace:
    return JobPlace(tmp_path, partial(FakePlatform, cluster, "exp00001"))


class Manager:
    """A manager's host, and what it told."""

    def __init__(self, place: JobPlace, **settings: Any) -> None:
        self.events: list[HostEvent] = []
        self._arrived = asyncio.Event()
        self.host = LateStartHost(partial(place.host, TRIAL), self._take, **settings)

    def of(self, kind: type[Any], trial_id: str = "") -> list[Any]:
        return [
            event
            for event in self.events
            if isinstance(event, kind) and (not trial_id or getattr(event, "trial_id", "") == trial_id)
        ]

    async def until(self, kind: type[Any], trial_id: str = "", fits: Callable[[Any], bool] = bool) -> Any:
        while not (found := [event for event in self.of(kind, trial_id) if fits(event)]):
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 60)
        return found[0]

    def _take(self, event: HostEvent) -> None:
        self.events.append(event)
        self._arrived.set()
        if isinstance(event, TrialReported):
            self.host.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)


@asynccontextmanager
async def managing(place: JobPlace) -> AsyncIterator[Manager]:
    """A manager that finds the platform, and in the end leaves its trials alone."""
    made = Manager(place)
    await made.host.start()
    try:
        yield made
    finally:
        await made.host.close()


@asynccontextmanager
async def resumed(place: JobPlace, **settings: Any) -> AsyncIterator[Manager]:
    """A manager that does not find it, and begins all the same."""
    made = Manager(place, **settings)
    with pytest.raises(HostAwayError, match="the cluster does not answer: no route") as caught:
        await made.host.start()
    assert caught.value.is_awaited
    caught.value.start_later()
    try:
        yield made
    finally:
        await made.host.close()


async def run(place: JobPlace, *names: str) -> None:
    """Has trials running that an ended manager left."""
    async with managing(place) as first:
        for name in names:
            first.host.submit(TrialRun(name, 0, 0, 0, {"x": 1}))
            await first.until(TrialStarted, name)


async def nothing_runs(cluster: FakeCluster) -> None:
    while cluster.running:
        await asyncio.sleep(0.02)


async def test_jobs_are_adopted_when_the_platform_is_back(place: JobPlace, cluster: FakeCluster) -> None:
    await run(place, "abcde")
    cluster.away = "no route"
    async with resumed(place) as again:
        again.host.adopt("abcde", 0, 0)
        again.host.submit(TrialRun("other", 0, 1, 1, {"x": 2}))
        waits = await again.until(TrialWaits, "other")
        assert waits.reason == "the cluster does not answer: no route"
        assert [event.reachable for event in again.of(HostChanged)] == [False]
        cluster.away = "another reason"
        await again.until(TrialWaits, "abcde", lambda event: "another reason" in event.reason)
        cluster.away = ""
        await again.until(TrialStarted, "abcde")
        place.write_code("go", "")
        for name in ("abcde", "other"):
            assert (await again.until(TrialEnded, name)).exit_code == 0
    assert [event.reachable for event in again.of(HostChanged)] == [False, True]
    assert len(cluster.jobs) == 2
    assert not cluster.running


async def test_a_trial_that_is_stopped_meanwhile_ends_and_its_job_too(
    place: JobPlace, cluster: FakeCluster
) -> None:
    await run(place, "abcde", "other")
    cluster.away = "no route"
    async with resumed(place, cancel_patience=0.05) as again:
        again.host.adopt("abcde", 0, 0)
        again.host.submit(TrialRun("other", 0, 1, 1, {"x": 2}))
        for name in ("abcde", "other"):
            again.host.cancel(name, 0)
            ended = await again.until(TrialEnded, name)
            assert ended.problem == (
                "it was canceled while the cluster does not answer: no route; "
                "its job is stopped when there is an answer"
            )
        assert len(cluster.running) == 2
        cluster.away = ""
        await asyncio.wait_for(nothing_runs(cluster), 60)
    assert len(again.of(TrialEnded)) == 2
    assert not again.of(TrialStarted)


async def test_a_manager_that_ends_meanwhile_says_what_goes_on(
    place: JobPlace, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    await run(place, "abcde")
    cluster.away = "no route"
    async with resumed(place) as again:
        again.host.adopt("abcde", 0, 0)
    assert (
        "what runs there goes on, until a resume finds it or `nnictl platform clean` stops it" in caplog.text
    )
    assert len(cluster.running) == 1
    cluster.away = ""
    place.write_code("go", "")
    async with managing(place) as third:
        third.host.adopt("abcde", 0, 0)
        assert (await third.until(TrialEnded)).exit_code == 0


async def test_a_platform_that_answers_no_when_it_is_back_cannot_be_used(
    place: JobPlace, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: FakePlatform) -> None:
        raise TrainingServiceError("the token is not taken")

    await run(place, "abcde")
    cluster.away = "no route"
    async with resumed(place) as again:
        again.host.adopt("abcde", 0, 0)
        monkeypatch.setattr(FakePlatform, "open", refuse)
        failed = await again.until(TrainingServiceFailed)
    assert failed.message == "the token is not taken"


async def test_what_a_person_has_to_repair_is_told_at_once(
    place: JobPlace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(self: FakePlatform) -> None:
        raise PlatformAwayError("the token is not taken", can_be_repaired="write another one")

    monkeypatch.setattr(FakePlatform, "open", refuse)
    made = Manager(place)
    caplog.set_level(logging.CRITICAL)
    with pytest.raises(TrainingServiceError, match="the token is not taken; write another one") as caught:
        await made.host.start()
    assert not isinstance(caught.value, HostAwayError)
    await made.host.close()
