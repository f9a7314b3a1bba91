"""What goes wrong with platforms and jobs, and what becomes of trials then."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted, TrialWaits
from nni_manager.testing.fake_job_platform import FakeCluster, FakePlatform
from nni_manager.testing.job_place import QUICK, JobPlace
from nni_manager.training.host import HostChanged, HostEvent
from nni_manager.training.interface import TrainingServiceError, TrialRun
from nni_manager.training.jobs.experiment_mark import make_mark
from nni_manager.training.jobs.host import JobHost
from nni_manager.training.jobs.names import storage_folder
from nni_manager.training.jobs.platform import JobState
from nni_manager.training.jobs.pushed import PushedEvents, UnknownJobError
from nni_manager.training.jobs.record import JobRecord

SLEEP = "echo ran; while [ ! -e go ]; do sleep 0.05; done"
JOB = "nni_exp00001_abcde_0"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeCluster]:
    cluster = FakeCluster(tmp_path / "cluster")
    yield cluster
    cluster.end_all()


@pytest.fixture
def make_place(tmp_path: Path, cluster: FakeCluster) -> Callable[..., JobPlace]:
    def make(**settings: Any) -> JobPlace:
        pace = replace(QUICK, **settings.pop("pace", {}))
        return JobPlace(tmp_path, partial(FakePlatform, cluster, "exp00001"), pace=pace, **settings)

    return make


@pytest.fixture
def place(make_place: Callable[..., JobPlace]) -> JobPlace:
    return make_place()


class Seen:
    """What a host told."""

    def __init__(self) -> None:
        self.events: list[HostEvent] = []
        self.host: JobHost | None = None
        self._arrived = asyncio.Event()

    def emit(self, event: HostEvent) -> None:
        self.events.append(event)
        self._arrived.set()
        if isinstance(event, TrialReported) and self.host is not None:
            self.host.acknowledge(event.trial_id, event.attempt, event.end_offset or 0)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[Any], fits: Callable[[Any], bool] = lambda event: True) -> Any:
        while not (found := [event for event in self.of(kind) if fits(event)]):
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 60)
        return found[0]


@asynccontextmanager
async def hosting(place: JobPlace, command: str = SLEEP) -> AsyncIterator[tuple[JobHost, Seen]]:
    seen = Seen()
    seen.host = host = place.host(command, seen.emit)
    await host.start()
    try:
        yield host, seen
    finally:
        await host.close()


@asynccontextmanager
async def hosting_while_away(place: JobPlace, cluster: FakeCluster) -> AsyncIterator[tuple[JobHost, Seen]]:
    """Starts a host, which needs an answer, and goes on with the cluster as it is."""
    away, cluster.away = cluster.away, ""
    async with hosting(place) as (host, seen):
        cluster.away = away
        yield host, seen


def run(trial_id: str = "abcde", attempt: int = 0) -> TrialRun:
    return TrialRun(trial_id, attempt, 0, 0, {"x": 1})


async def test_while_the_platform_is_away_trials_wait_and_say_why(
    place: JobPlace, cluster: FakeCluster
) -> None:
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        cluster.away = "503 Service Unavailable"
        host.submit(run())
        waits = await seen.until(TrialWaits)
        gone = await seen.until(HostChanged)
        cluster.away = ""
        ended = await seen.until(TrialEnded)
    assert waits.reason == "the cluster does not answer: 503 Service Unavailable"
    assert (gone.reachable, gone.reason) == (False, "503 Service Unavailable")
    assert [event.reachable for event in seen.of(HostChanged)] == [False, True]
    assert ended.exit_code == 0


async def test_trials_go_on_while_the_platform_is_away(place: JobPlace, cluster: FakeCluster) -> None:
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted)
        cluster.away = "no route"
        place.write_code("go", "")
        ended = await seen.until(TrialEnded)
        cluster.away = ""
    assert (ended.exit_code, ended.signal) == (0, None)


async def test_a_job_whose_submission_was_not_answered_is_there_once(
    place: JobPlace, cluster: FakeCluster
) -> None:
    cluster.lost_answer = True
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialEnded)
    assert list(cluster.jobs) == [JOB]
    assert place.read("abcde", "stdout") == b"ran\n"


async def test_a_refusal_is_told_in_the_platforms_words(place: JobPlace, cluster: FakeCluster) -> None:
    cluster.refusal = "virtual cluster gpu has no cell of this type"
    async with hosting(place) as (host, seen):
        host.submit(run())
        ended = await seen.until(TrialEnded)
        assert ended.problem == cluster.refusal
        cluster.refusal = ""
        place.write_code("go", "")
        host.submit(run("other"))
        assert (await seen.until(TrialEnded, lambda event: event.trial_id == "other")).exit_code == 0


async def test_what_a_job_waits_for_is_what_its_trial_waits_for(
    place: JobPlace, cluster: FakeCluster
) -> None:
    cluster.holds = "3 GPUs are missing"
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        host.submit(run())
        waits = await seen.until(TrialWaits)
        cluster.holds = ""
        await seen.until(TrialEnded)
    assert waits.reason == f"its job {JOB} waits: 3 GPUs are missing"


async def test_a_job_that_is_lost_ends_its_trial(place: JobPlace, cluster: FakeCluster) -> None:
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted)
        cluster.lose(JOB)
        ended = await seen.until(TrialEnded)
    assert ended.problem == f"lost: the cluster does not know its job {JOB} any more"


async def test_a_preempted_job_ends_its_trial_with_the_reason(place: JobPlace, cluster: FakeCluster) -> None:
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted)
        cluster.end(JOB, JobState.STOPPED, "preempted by a job with a higher priority")
        ended = await seen.until(TrialEnded)
    assert ended.problem == f"its job {JOB} was stopped: preempted by a job with a higher priority"
    assert ended.exit_code is None


async def test_what_a_job_wrote_last_is_told_with_its_end(place: JobPlace, cluster: FakeCluster) -> None:
    (cluster.brought / "full").write_text("")
    async with hosting(place) as (host, seen):
        for path in cluster.brought.glob("sdk-*"):
            path.write_bytes(b"damaged" * (1 << 18))
        host.submit(run())
        ended = await seen.until(TrialEnded)
    assert ended.problem == f"its job {JOB} failed with exit code 1"
    assert "nni: the job cannot begin: " in ended.stderr_tail


async def test_a_trial_that_waits_is_stopped_by_the_platform(place: JobPlace, cluster: FakeCluster) -> None:
    cluster.holds = "no room"
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialWaits)
        host.cancel("abcde", 0)
        ended = await seen.until(TrialEnded)
    assert ended.problem == "it was stopped before it started"
    assert cluster.jobs[JOB].state is JobState.STOPPED
    assert cluster.running == []


async def test_a_trial_can_be_stopped_while_the_storage_is_away(
    place: JobPlace, cluster: FakeCluster
) -> None:
    (cluster.shared / "spool").write_text("no folder")
    async with hosting(place) as (host, seen):
        host.submit(run())
        waits = await seen.until(TrialWaits)
        host.cancel("abcde", 0)
        ended = await seen.until(TrialEnded)
    assert "cannot be read" in waits.reason
    assert ended.problem == "it was stopped before it started"
    assert cluster.calls["submit"] == 0


async def test_a_canceled_trial_that_goes_on_is_stopped_with_its_job(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    """Its courier is stopped itself, and hears nothing."""
    place = make_place(pace={"insist_seconds": 0.2})
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted)
        cluster.pause(JOB)
        host.cancel("abcde", 0)
        ended = await seen.until(TrialEnded)
    assert ended.problem == f"its job {JOB} was stopped"
    assert cluster.running == []


async def test_a_waiting_job_of_several_trials_is_stopped_with_the_last_of_them(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    cluster.holds = "no room"
    place = make_place(reuse_mode=True, slots_per_job=2)
    async with hosting(place) as (host, seen):
        for trial_id in ("abcde", "other"):
            host.submit(run(trial_id))
        for trial_id in ("abcde", "other"):
            await seen.until(TrialWaits, lambda event, trial_id=trial_id: event.trial_id == trial_id)
        assert list(cluster.jobs) == ["nni_exp00001_job_0"]
        host.cancel("abcde", 0)
        assert cluster.calls["stop"] == 0
        host.cancel("other", 0)
        for trial_id in ("abcde", "other"):
            await seen.until(TrialEnded, lambda event, trial_id=trial_id: event.trial_id == trial_id)
    assert cluster.jobs["nni_exp00001_job_0"].state is JobState.STOPPED


@pytest.mark.parametrize("reuse_mode", [False, True], ids=["a-job-each", "pool"])
@pytest.mark.parametrize("state", ["ordered", "waiting", "running"])
async def test_a_canceled_trial_ends_before_a_platform_that_is_away_for_long_is_back(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool, state: str
) -> None:
    """Stopping an experiment does not wait for ever."""
    job = "nni_exp00001_job_0" if reuse_mode else JOB
    place = make_place(reuse_mode=reuse_mode, pace={"cancel_seconds": 0.3, "insist_seconds": 0.1})
    cluster.holds = "" if state == "running" else "no room"
    cluster.away = "503" if state == "ordered" else ""
    async with hosting_while_away(place, cluster) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted if state == "running" else TrialWaits)
        if state == "running":
            cluster.pause(job)
        cluster.away = "503"
        host.cancel("abcde", 0)
        ended = await seen.until(TrialEnded)
        assert ended.problem == (
            "it was canceled while the cluster does not answer: 503; "
            "its job is stopped when there is an answer"
        )
        cluster.away = ""
    if state != "ordered":
        assert cluster.jobs[job].state is JobState.STOPPED
    assert cluster.running == []
    assert len(seen.of(TrialEnded)) == 1


async def test_jobs_that_nobody_asks_for_are_stopped(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    place = make_place(pace={"claim_seconds": 0.2})
    async with dying(place) as (host, seen):
        for name in ("abcde", "other"):
            host.submit(run(name))
            await seen.until(TrialStarted, lambda event, name=name: event.trial_id == name)
    async with hosting(place) as (host, seen):
        host.adopt("abcde", 0, 0)
        while len(cluster.running) > 1:
            await asyncio.sleep(0.05)
        assert cluster.running == [JOB]
        place.write_code("go", "")
        assert (await seen.until(TrialEnded)).exit_code == 0


@pytest.mark.parametrize("reuse_mode", [False, True])
async def test_nothing_runs_on_after_the_last_trial(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool
) -> None:
    place = make_place(reuse_mode=reuse_mode)
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialEnded)
    assert cluster.running == []
    assert {job.state for job in cluster.jobs.values()} == {JobState.SUCCEEDED}
    assert not list(place.jobs.glob("*/*"))


async def test_a_job_that_ends_while_a_trial_is_given_to_it_is_not_tried_again(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make_place(reuse_mode=True)
    place.write_code("go", "")
    note, noting, may_note = JobRecord.add, threading.Event(), threading.Event()

    def note_later(record: JobRecord, jobs: Mapping[Any, str]) -> None:
        note(record, jobs)
        if ("other", 0) in jobs and not noting.is_set():
            noting.set()
            assert may_note.wait(60)

    monkeypatch.setattr(JobRecord, "add", note_later)
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialEnded)
        host.submit(run("other"))
        await asyncio.to_thread(noting.wait, 60)
        cluster.end("nni_exp00001_job_0", JobState.FAILED, "preempted")
        before = cluster.calls["list"]
        while cluster.calls["list"] < before + 3:
            await asyncio.sleep(0.02)
        may_note.set()
        ended = await seen.until(TrialEnded, lambda event: event.trial_id == "other")
    assert ended.exit_code == 0
    assert list(cluster.jobs) == ["nni_exp00001_job_0", "nni_exp00001_job_1"]
    noted = [json.loads(line)["job"] for line in (place.experiment / "jobs.jsonl").read_text().splitlines()]
    assert noted == ["nni_exp00001_job_0", "nni_exp00001_job_0", "nni_exp00001_job_1"]


async def test_a_job_without_a_trial_ends_after_a_while_and_nothing_is_asked_then(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    place = make_place(reuse_mode=True, pace={"idle_seconds": 0.3})
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialEnded)
        while cluster.running:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        before = dict(cluster.calls)
        await asyncio.sleep(0.5)
        assert dict(cluster.calls) == before
        host.submit(run("other"))
        await seen.until(TrialEnded, lambda event: event.trial_id == "other")
    assert list(cluster.jobs) == ["nni_exp00001_job_0", "nni_exp00001_job_1"]


async def test_a_job_that_cannot_be_stopped_at_the_end_is_named(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    place = make_place(reuse_mode=True, pace={"close_seconds": 0.1, "settle_seconds": 0.1})
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialEnded)
        cluster.pause("nni_exp00001_job_0")
        cluster.away = "503"
    assert (
        "nni_exp00001_job_0 has ended is not known; `nnictl platform clean` finds and stops it" in caplog.text
    )


async def test_a_container_without_python_says_so(place: JobPlace, cluster: FakeCluster) -> None:
    cluster.path = "/nowhere"
    async with hosting(place) as (host, seen):
        host.submit(run())
        ended = await seen.until(TrialEnded)
    assert ended.problem == (
        f"job {JOB}: its container has no Python 3.8 or later, with which trials are run; use an image that "
        "has python3"
    )


async def test_a_platform_that_does_not_answer_at_the_start(place: JobPlace, cluster: FakeCluster) -> None:
    cluster.away = "connection refused"
    host = place.host(SLEEP, lambda event: None)
    with pytest.raises(TrainingServiceError, match="the cluster does not answer: connection refused"):
        await host.start()
    await host.close()


async def test_what_a_job_tells_over_the_network_is_known_at_once(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    """The storage is looked at so seldom here that nothing would be known for an hour."""
    pushed = PushedEvents()
    place = make_place(pushed=pushed, pace={"files_seconds": 3600.0})
    events = cluster.shared / "spool" / JOB / "events.jsonl"
    async with hosting(place, "exit 3") as (host, seen):
        host.submit(run())
        while not events.exists() or b'"ended"' not in events.read_bytes():
            await asyncio.sleep(0.02)
        assert seen.of(TrialStarted) == []
        told = events.read_bytes()
        assert pushed.append(JOB, 0, told) == len(told)
        assert (await seen.until(TrialEnded)).exit_code == 3
    assert len(seen.of(TrialStarted)) == 1
    with pytest.raises(UnknownJobError):
        pushed.append(JOB, 0, told)


@asynccontextmanager
async def dying(place: JobPlace, command: str = SLEEP) -> AsyncIterator[tuple[JobHost, Seen]]:
    """A host whose manager is killed at the end of the block: nothing of it is done any more."""
    before = asyncio.all_tasks()
    seen = Seen()
    seen.host = host = place.host(command, seen.emit)
    await host.start()
    yield host, seen
    left = asyncio.all_tasks() - before
    for task in left:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*left, return_exceptions=True)
    for job in host._board.jobs.values():
        job.keep_busy()


@pytest.mark.parametrize("reuse_mode", [False, True])
@pytest.mark.parametrize("call", ["nothing", "written", "submit", "list", "started"])
async def test_a_manager_killed_at_any_moment_loses_and_doubles_nothing(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool, call: str
) -> None:
    place = make_place(reuse_mode=reuse_mode)
    place.write_code("go", "")
    async with dying(place, "echo ran") as (host, seen):
        cluster.away_for = frozenset({"submit"}) if call == "written" else frozenset()
        cluster.away = "away" if call == "written" else ""
        before = cluster.calls[call]
        host.submit(run())
        if call == "written":
            await seen.until(TrialWaits)
        elif call == "started":
            await seen.until(TrialStarted)
        elif call != "nothing":
            while cluster.calls[call] == before:
                await asyncio.sleep(0)
    cluster.away = ""
    async with hosting(place, "echo ran") as (host, seen):
        host.submit(run())
        ended = await seen.until(TrialEnded)
    assert ended.exit_code == 0
    assert place.read("abcde", "stdout") == b"ran\n"
    assert len(seen.of(TrialStarted)) == 1
    assert cluster.running == []


# Experiments that have the same id


@pytest.fixture
def make_same(tmp_path: Path, cluster: FakeCluster) -> Callable[..., JobPlace]:
    """Makes places of experiments in folders of their own, all with one id on one platform and machine."""

    def make(name: str, *, marked: bool = True, **settings: Any) -> JobPlace:
        folder = tmp_path / name
        folder.mkdir()

        def platform() -> FakePlatform:
            return FakePlatform(cluster, "exp00001", storage_folder("exp00001", place.experiment))

        place = JobPlace(folder, platform, pace=replace(QUICK, claim_seconds=0.1), **settings)
        place.jobs = tmp_path / "jobs"
        if marked:
            make_mark(place.experiment)
        return place

    return make


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "from-before"])
@pytest.mark.parametrize("reuse_mode", [False, True], ids=["a-job-each", "pool"])
async def test_an_experiment_leaves_jobs_of_another_with_its_id_alone(
    make_same: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool, marked: bool
) -> None:
    """Neither what a resumed one claims nor what one stops or takes up at its end is the other's."""
    first = make_same("first", marked=marked, reuse_mode=reuse_mode)
    second = make_same("second", reuse_mode=reuse_mode)
    async with hosting(first) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted)
        (job_of_first,) = cluster.running
        async with hosting(second) as (other, seen_by_other):
            other.submit(run())
            await seen_by_other.until(TrialStarted)
            other.cancel("abcde", 0)
            await seen_by_other.until(TrialEnded)
        assert cluster.running == [job_of_first]
        async with hosting(second) as (other, seen_by_other):
            other.adopt("abcde", 1, 0)  # which was given to no job
            assert (await seen_by_other.until(TrialEnded)).problem
        assert cluster.running == [job_of_first]
        first.write_code("go", "")
        assert (await seen.until(TrialEnded)).exit_code == 0
    assert first.read("abcde", "stdout") == second.read("abcde", "stdout") == b"ran\n"
    assert cluster.running == []


@pytest.mark.parametrize("reuse_mode", [False, True], ids=["a-job-each", "pool"])
async def test_a_copy_of_the_folder_takes_up_the_jobs(
    make_same: Callable[..., JobPlace], cluster: FakeCluster, tmp_path: Path, reuse_mode: bool
) -> None:
    """As when an experiment is saved, and loaded on another machine."""
    place = make_same("here", reuse_mode=reuse_mode)
    async with dying(place) as (host, seen):
        host.submit(run())
        await seen.until(TrialStarted)
    elsewhere = make_same("elsewhere", marked=False, reuse_mode=reuse_mode)
    shutil.copytree(place.experiment, elsewhere.experiment, dirs_exist_ok=True)
    async with hosting(elsewhere) as (host, seen):
        host.adopt("abcde", 0, 0)
        place.write_code("go", "")
        assert (await seen.until(TrialEnded)).exit_code == 0
    assert len(cluster.jobs) == 1
    assert elsewhere.read("abcde", "stdout") == b"ran\n"


async def test_pools_of_two_training_services_have_jobs_of_different_names(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, tmp_path: Path
) -> None:
    """By its name the manager knows whose file it is that a job tells of over the network."""
    other_cluster = FakeCluster(tmp_path / "other cluster")
    place = make_place(reuse_mode=True, pushed=PushedEvents())
    place.write_code("go", "")
    async with hosting(place) as (host, seen):
        place.make_platform = partial(FakePlatform, other_cluster, "exp00001")
        place.options = {"service": 1}
        async with hosting(place) as (other, seen_by_other):
            host.submit(run())
            other.submit(run("other"))
            assert (await seen.until(TrialEnded)).exit_code == 0
            assert (await seen_by_other.until(TrialEnded)).exit_code == 0
    assert [*cluster.jobs, *other_cluster.jobs] == ["nni_exp00001_job_0", "nni_exp00001_job-1_0"]
