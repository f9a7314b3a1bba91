"""The stream of what changes in the list of experiments."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from nni_config import experiment_folders
from nni_config.experiment_summary import ExperimentSummary, write_summary
from nni_manager.experiments import list_watching
from nni_manager.experiments.many_experiments import ManyExperiments
from nni_manager.rpc import paging
from nni_manager.rpc.experiment_list_servicer import ExperimentListServicer
from nni_manager.storage.interface import Storage
from nni_manager.testing.fake_experiments import FakeExperiments
from nni_proto.v1 import experiment_pb2
from nni_proto.v1.experiment_summary_pb2 import WatchExperimentsRequest, WatchExperimentsResponse

Stream = AsyncIterator[WatchExperimentsResponse]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(list_watching, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(list_watching, "_SHARE", 0)
    (tmp_path / "experiments").mkdir()
    return tmp_path / "experiments"


@pytest.fixture
async def many(directory: Path) -> AsyncIterator[ManyExperiments]:
    many = ManyExperiments(FakeExperiments(), "own", directory, open_to_read)
    yield many
    many.closed.set()
    await many.close_others()


def open_to_read(path: Path) -> Storage:
    raise AssertionError(f"{path} was opened, although there is a summary")


def record(directory: Path, experiment_id: str, created: float = 100.0) -> ExperimentSummary:
    """Makes an experiment that looks like one from outside."""
    (directory / experiment_id / "db").mkdir(parents=True)
    (directory / experiment_id / "db" / "experiment.sqlite").write_bytes(b"SQLite format 3\0")
    summary = ExperimentSummary(experiment_id, "a name", "DONE", "local", created)
    write_summary(summary, directory / experiment_id)
    return summary


def names(answer: WatchExperimentsResponse) -> list[str]:
    return [each.name.removeprefix("experiments/") for each in answer.experiments]


async def with_sizes(stream: Stream, count: int) -> WatchExperimentsResponse:
    """Returns the answer after which the sizes of so many folders are known: they come later."""
    known: set[str] = set()
    async for answer in stream:
        known |= {each.name for each in answer.experiments if each.HasField("size")}
        if len(known) == count:
            return answer
    raise AssertionError("the stream ended")


async def test_each_that_appears_changes_or_vanishes_is_told(many: ManyExperiments, directory: Path) -> None:
    record(directory, "old", 1.0)
    changing = record(directory, "changing", 2.0)
    stream = ExperimentListServicer(many).watch_experiments(WatchExperimentsRequest())
    first = await anext(stream)
    assert (names(first), first.whole) == (["changing", "old"], True)
    if not all(each.HasField("size") for each in first.experiments):
        await with_sizes(stream, 2)
    record(directory, "new", 3.0)
    appeared = await anext(stream)
    assert (names(appeared), appeared.whole, list(appeared.removed)) == (["new"], False, [])
    await with_sizes(stream, 1)
    write_summary(replace(changing, trial_counts={"SUCCEEDED": 7}), directory / "changing")
    (changed,) = (await anext(stream)).experiments
    assert (changed.name, changed.trial_counts[0].count) == ("experiments/changing", 7)
    write_summary(
        replace(changing, trial_counts={"SUCCEEDED": 7}, status="ERROR", written_at=5.0),
        directory / "changing",
    )
    (changed,) = (await anext(stream)).experiments
    assert changed.status == experiment_pb2.Experiment.STATUS_ERROR
    shutil.rmtree(directory / "old")
    gone = await anext(stream)
    assert (names(gone), list(gone.removed)) == ([], ["experiments/old"])
    many.closed.set()
    assert [answer async for answer in stream] == []


async def test_a_watch_goes_on_where_it_broke(many: ManyExperiments, directory: Path) -> None:
    for name in ("one", "two", "gone"):
        record(directory, name)
    servicer = ExperimentListServicer(many)
    stream = servicer.watch_experiments(WatchExperimentsRequest())
    last = await with_sizes(stream, 3)
    await stream.aclose()
    again = servicer.watch_experiments(WatchExperimentsRequest(after_revision=last.revision))
    nothing = await anext(again)
    assert (names(nothing), nothing.whole, nothing.revision) == ([], False, last.revision)
    await again.aclose()
    record(directory, "new")
    shutil.rmtree(directory / "gone")
    again = servicer.watch_experiments(WatchExperimentsRequest(after_revision=last.revision))
    missed = await anext(again)
    assert (names(missed), list(missed.removed)) == (["new"], ["experiments/gone"])
    await again.aclose()
    for foreign in ("deadbeef-3", "nonsense", f"{last.revision}x"):
        answers = servicer.watch_experiments(WatchExperimentsRequest(after_revision=foreign))
        answer = await anext(answers)
        assert answer.whole and sorted(names(answer)) == ["new", "one", "two"]
        await answers.aclose()


async def test_what_changes_all_the_time_is_not_told(many: ManyExperiments, directory: Path) -> None:
    summary = record(directory, "one")
    stream = ExperimentListServicer(many).watch_experiments(WatchExperimentsRequest())
    first = await anext(stream)
    if not first.experiments[0].HasField("size"):
        await with_sizes(stream, 1)
    write_summary(replace(summary, written_at=99.0, running_seconds=5.0), directory / "one")
    waiting = asyncio.ensure_future(anext(stream))
    looked = await many.listed()
    while looked[0].summary is None or looked[0].summary.written_at != 99.0:
        looked = await many.listed()
    record(directory, "two")
    assert names(await waiting) == ["two"]
    await stream.aclose()


async def test_a_list_too_large_for_a_message_comes_in_several(
    many: ManyExperiments, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(5):
        record(directory, f"e{place}", float(place))
    monkeypatch.setattr(paging, "PAGE_LIMIT", 200)
    stream = ExperimentListServicer(many).watch_experiments(WatchExperimentsRequest())
    parts = [await anext(stream)]
    while not parts[-1].revision:
        parts.append(await anext(stream))
    assert len(parts) > 1 and all(part.whole for part in parts)
    assert [name for part in parts for name in names(part)] == ["e4", "e3", "e2", "e1", "e0"]
    await stream.aclose()


async def test_what_has_not_changed_is_not_read_again(
    many: ManyExperiments, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = [record(directory, f"e{place}") for place in range(4)][2]
    while any(each.size is None for each in await many.listed()):
        await asyncio.sleep(0)
    before = await many.listed()
    read = []

    def counted(path: Path) -> ExperimentSummary | None:
        read.append(path.name)
        return real(path)

    real = experiment_folders.read_summary
    monkeypatch.setattr(experiment_folders, "read_summary", counted)
    assert all(one is other for one, other in zip(await many.listed(), before, strict=True))
    write_summary(replace(changing, name="another"), directory / "e2")
    (after,) = [each for each in await many.listed() if each not in before]
    assert after.summary is not None and after.summary.name == "another"
    assert read == ["e2"]
