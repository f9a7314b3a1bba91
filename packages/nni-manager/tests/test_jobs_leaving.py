"""What an experiment leaves in the storage that it shared with its jobs: only what is nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.testing.fake_job_platform import FakeCluster, FakePlatform
from nni_manager.testing.job_place import QUICK, JobPlace
from nni_manager.testing.training_service import Listener, started, trial
from nni_manager.training.jobs.experiment_mark import make_mark
from nni_manager.training.jobs.leaving import StoredPart, stored_parts
from nni_manager.training.jobs.names import storage_folder
from nni_manager.training.jobs.outputs import MOST_MOUNTED_BYTES

ID = "exp00001"
WRITES = "echo out; cd $NNI_OUTPUT_DIR; mkdir -p a; echo model > a/model"


@pytest.fixture(params=[True, False], ids=["mounted", "sent"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeCluster]:
    cluster = FakeCluster(tmp_path / "cluster", mounts=request.param)
    yield cluster
    cluster.end_all()


@pytest.fixture
def make_place(tmp_path: Path, cluster: FakeCluster) -> Callable[..., JobPlace]:
    def make(platform: type[FakePlatform] = FakePlatform, *, marked: bool = True, **rules: Any) -> JobPlace:
        place = JobPlace(
            tmp_path, lambda: platform(cluster, ID, storage_folder(ID, place.experiment)), **rules
        )
        if marked:
            make_mark(place.experiment)
        return place

    return make


def stored(cluster: FakeCluster) -> set[str]:
    """Returns the files in the storage but those that are ours, below the experiment's folder."""
    names = MountedFiles(cluster.shared).names()
    return {name.split("/", 2)[2] for name in names if "/.nni/" not in name}


async def run(place: JobPlace, command: str) -> TrialEnded:
    listener = Listener()
    async with started(place.service(command, listener.emit)) as service:
        service.submit(trial())
        return await listener.next("abcde", TrialEnded)


@pytest.mark.parametrize("reuse_mode", [False, True], ids=["a-job-each", "pool"])
async def test_nothing_is_left_of_what_is_here(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool
) -> None:
    place = make_place(reuse_mode=reuse_mode)
    assert (await run(place, f"{WRITES}; exit 3")).exit_code == 3
    assert list(cluster.shared.iterdir()) == [], "no folder either"
    trial_folder = place.experiment / "trials" / "abcde"
    assert (trial_folder / "stdout").read_text() == "out\n"
    assert (trial_folder / "a" / "model").read_text() == "model\n"


@pytest.mark.parametrize("reuse_mode", [False, True], ids=["a-job-each", "pool"])
async def test_an_experiment_with_a_trial_leaves_everything_and_goes_on(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool
) -> None:
    place, listener = make_place(reuse_mode=reuse_mode), Listener()
    command = f"until [ -e go ]; do sleep 0.05; done; {WRITES}"
    async with started(place.service(command, listener.emit)) as service:
        service.submit(trial())
        await listener.next("abcde", TrialStarted)
    assert any(name.startswith("spool/") for name in stored(cluster))
    later = Listener()
    async with started(place.service(command, later.emit)) as service:
        service.adopt("abcde", 0, 0)
        place.write_code("go", "")
        assert (await later.next("abcde", TrialEnded)).exit_code == 0
    assert list(cluster.shared.iterdir()) == []
    assert place.read("abcde", "a/model") == b"model\n"


@pytest.mark.parametrize("reuse_mode", [False, True], ids=["a-job-each", "pool"])
async def test_an_end_that_nobody_heard_is_heard_by_the_next_manager(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, reuse_mode: bool
) -> None:
    """The storage is looked at so seldom here that the manager ends before it knows that the trial has."""
    pace = replace(QUICK, files_seconds=3600.0, list_seconds=3600.0, idle_seconds=0.1)
    place, listener = make_place(pace=pace, reuse_mode=reuse_mode), Listener()
    async with started(place.service(f"{WRITES}; exit 5", listener.emit)) as service:
        service.submit(trial())
        while not any(b'"ended"' in path.read_bytes() for path in cluster.shared.glob("**/events.jsonl")):
            await asyncio.sleep(0.02)
        while cluster.running and not reuse_mode:
            await asyncio.sleep(0.02)
    assert not listener.of("abcde", TrialEnded)
    later = Listener()
    place.pace = QUICK
    async with started(place.service("exit 6", later.emit)) as service:
        service.adopt("abcde", 0, 0)
        assert (await later.next("abcde", TrialEnded)).exit_code == 5
    assert list(cluster.shared.iterdir()) == []


async def test_in_a_storage_that_somebody_named_stays_what_trials_made(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    cluster.keeps_files = True
    await run(make_place(), WRITES)
    left = stored(cluster)
    assert "trials/abcde/a/model" in left
    assert {name.split("/")[0] for name in left} == {"trials"}, "the spool went"


async def test_there_too_nothing_is_left_of_trials_that_made_nothing(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    cluster.keeps_files = True
    await run(make_place(), "echo out")
    assert list(cluster.shared.iterdir()) == []


async def test_checkpoints_stay_for_trials_after_a_resume(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    await run(make_place(), f"{WRITES}; mkdir checkpoints; echo x > checkpoints/last")
    left = stored(cluster)
    assert "trials/abcde/checkpoints/last" in left
    assert {name.split("/")[0] for name in left} == {"trials"}, "the spool went"


@pytest.mark.parametrize("cluster", [True], ids=["mounted"], indirect=True)
@pytest.mark.parametrize(
    ("makes", "stays"),
    [
        (f"truncate -s {MOST_MOUNTED_BYTES + 1} large", "large"),
        ("ln -s stdout link", "link"),
        ("rm stdout; ln -s /etc/hosts stdout", "stdout"),
    ],
    ids=["too-large", "link", "log-is-a-link"],
)
async def test_what_is_nowhere_else_stays(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, makes: str, stays: str
) -> None:
    await run(make_place(), f"{WRITES}; {makes}")
    left = stored(cluster)
    assert f"trials/abcde/{stays}" in left
    assert {name.split("/")[0] for name in left} == {"trials"}, "the spool went"


async def test_what_did_not_come_whole_stays(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    place = make_place()
    (place.experiment / "trials" / "abcde" / "a").mkdir(parents=True)
    (place.experiment / "trials" / "abcde" / "a" / "model").mkdir()  # so that the file cannot be put there
    await run(place, WRITES)
    assert "trials/abcde/a/model" in stored(cluster)


class BrokenFiles(MountedFiles):
    def remove(self, name: str) -> None:
        raise SharedStorageError(f"{name} cannot be removed: Read-only file system")


class BrokenPlatform(FakePlatform):
    @property
    def stored(self) -> tuple[MountedFiles, ...]:
        return (BrokenFiles(self._shared),)


async def test_files_that_cannot_be_removed_are_a_warning(
    make_place: Callable[..., JobPlace], cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert (await run(make_place(BrokenPlatform), "exit 4")).exit_code == 4
    assert "cannot be removed: Read-only file system; `nnictl platform clean ID --files`" in caplog.text
    assert stored(cluster)


async def test_experiments_from_before_share_a_folder_and_leave_it(
    make_place: Callable[..., JobPlace], cluster: FakeCluster
) -> None:
    await run(make_place(marked=False), WRITES)
    assert (cluster.shared / ID / "spool").is_dir()
    assert (cluster.shared / ID / "trials" / "abcde").is_dir()


def test_parts_are_told_with_their_sizes(tmp_path: Path) -> None:
    files = MountedFiles(tmp_path)
    for name, size in {
        "spool/a/orders": 2,
        "spool/b/orders": 3,
        "archives/x": 5,
        "x1234567/trials/y/z": 7,
    }.items():
        files.write(name, b"x" * size)
    own = [StoredPart("archives", 1, 5), StoredPart("spool", 2, 5)]
    assert stored_parts([files], with_marks=False) == own
    assert stored_parts([files], with_marks=True) == [*own, StoredPart("x1234567/trials", 1, 7)]
