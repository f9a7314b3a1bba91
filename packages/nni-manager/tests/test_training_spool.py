"""Following a job by files: exactly once, in order, whatever becomes of either side."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni.spool_files import Appender, FolderFiles, OtherWriterError, read_lines
from nni.spool_trials import SpooledTrials
from nni_manager.engine.events import TrialEnded, TrialReported, TrialStarted
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import TrialRun
from nni_manager.training.spool import JobSpool

TIME = "2026-01-01T00:00:00.000000Z"
EVENTS = "spool/job/events.jsonl"
ORDERS = "spool/job/orders.jsonl"


def line(name: str, trial_id: str = "t1", **content: Any) -> bytes:
    return json.dumps({name: {"trialId": trial_id, "attempt": 0, **content}}).encode() + b"\n"


def reported(value: int, end: int, trial_id: str = "t1") -> bytes:
    report = {"kind": "METRIC_KIND_INTERMEDIATE", "reporter": "1-a", "number": str(value), "reportTime": TIME}
    return line(
        "reported", trial_id, endOffset=str(end), reports=[{**report, "value": {"intValue": str(value)}}]
    )


STARTED = line("started", startTime=TIME, pid=7)
ENDED = line("ended", endTime=TIME, exitCode=0, problem="", stderrTail="")
STORY = [STARTED, *(reported(number, 10 * (number + 1)) for number in range(5)), ENDED]
LAUNCH = messages.launch(TrialRun("t1", 0, 0, 0, {}), "true", "/", {}, ())


class Manager:
    """A manager's side that acknowledges what it is told, and remembers the last."""

    def __init__(self, files: Any, acknowledged: int = 0, **settings: Any) -> None:
        self.seen: list[Any] = []
        self.acknowledged = acknowledged
        self.arrived = asyncio.Event()
        self.spool = JobSpool(files, "job", self.emit, **{"poll_seconds": 0.01, **settings})

    def emit(self, event: Any) -> None:
        self.seen.append(event)
        if isinstance(event, TrialReported):
            self.acknowledged = event.end_offset or 0
            self.spool.acknowledge(event.trial_id, event.attempt, self.acknowledged)
        self.arrived.set()

    async def until(self, kind: type, count: int = 1) -> None:
        while sum(isinstance(event, kind) for event in self.seen) < count:
            self.arrived.clear()
            await asyncio.wait_for(self.arrived.wait(), 20)

    def values(self) -> list[Any]:
        return [it.value for event in self.seen if isinstance(event, TrialReported) for it in event.reports]


def append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


@given(cuts=st.lists(st.integers(0, len(b"".join(STORY))), max_size=6))
@settings(max_examples=30, deadline=None)
async def test_however_the_file_grows_all_is_told_once_and_in_order(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shared")
    whole = b"".join(STORY)
    manager = Manager(MountedFiles(folder))
    await manager.spool.open()
    manager.spool.launch("t1", 0, LAUNCH)
    places = [0, *sorted(cuts), len(whole)]
    for start, end in itertools.pairwise(places):
        append(folder / EVENTS, whole[start:end])
        await asyncio.sleep(0.012)
    await manager.until(TrialEnded)
    await manager.spool.close()
    assert manager.values() == list(range(5))
    kinds = [type(event) for event in manager.seen]
    assert kinds == [TrialStarted, *[TrialReported] * 5, TrialEnded]


@pytest.mark.parametrize("told", range(6))
async def test_another_manager_goes_on_where_the_last_one_was(tmp_path: Path, told: int) -> None:
    """The first one dies after it was told so many events; what it had stored is not told again."""
    append(tmp_path / EVENTS, b"".join(STORY[: 1 + told]))
    first = Manager(MountedFiles(tmp_path))
    await first.spool.open()
    first.spool.launch("t1", 0, LAUNCH)
    await first.until(TrialReported, told) if told else await first.until(TrialStarted)
    await first.spool.close()
    append(tmp_path / EVENTS, b"".join(STORY[1 + told :]))
    second = Manager(MountedFiles(tmp_path))
    await second.spool.open()
    await asyncio.sleep(0.05)  # it passes over what nobody has asked for yet
    second.spool.adopt("t1", 0, first.acknowledged)
    await second.until(TrialEnded)
    await second.spool.close()
    assert first.values() + second.values() == list(range(5))
    orders = (tmp_path / ORDERS).read_bytes().splitlines()
    assert [next(iter(json.loads(order))) for order in orders] == ["launch", "adopt"]


async def test_an_order_that_was_cut_short_is_followed_by_a_whole_one(tmp_path: Path) -> None:
    append(tmp_path / ORDERS, LAUNCH + b'{"cancel": {"tri')
    manager = Manager(MountedFiles(tmp_path))
    await manager.spool.open()
    manager.spool.adopt("t1", 0, 0)
    await manager.spool.close()
    lines, _ = read_lines(FolderFiles(str(tmp_path)), ORDERS, 0)
    trials = SpooledTrials()
    assert [trials.order(each) is not None for each in lines] == [True, False, False]


async def test_a_line_of_a_job_that_died_is_passed_over(tmp_path: Path, caplog: Any) -> None:
    append(tmp_path / EVENTS, STARTED + STORY[1][:40] + b"\n" + b"".join(STORY[1:]))
    manager = Manager(MountedFiles(tmp_path))
    await manager.spool.open()
    manager.spool.launch("t1", 0, LAUNCH)
    await manager.until(TrialEnded)
    await manager.spool.close()
    assert manager.values() == list(range(5))
    assert "job job: a line cannot be understood" in caplog.text


async def test_zeros_are_waited_for(tmp_path: Path) -> None:
    """A mount may know how long a file is before it has what is in it."""
    whole = b"".join(STORY)
    hole = len(STORY[0]) + 5
    append(tmp_path / EVENTS, whole[:hole] + b"\0" * 30 + whole[hole + 30 :])
    manager = Manager(MountedFiles(tmp_path))
    await manager.spool.open()
    manager.spool.launch("t1", 0, LAUNCH)
    await manager.until(TrialStarted)
    await asyncio.sleep(0.05)
    assert manager.values() == []
    (tmp_path / EVENTS).write_bytes(whole)
    await manager.until(TrialEnded)
    await manager.spool.close()
    assert manager.values() == list(range(5))


async def test_a_storage_that_fails_for_a_while_loses_nothing(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.WARNING)
    files, failures = MountedFiles(tmp_path), iter([True] * 3)

    class Failing:
        def __getattr__(self, name: str) -> Any:
            def call(*arguments: Any) -> Any:
                if name in ("append", "read") and next(failures, False):
                    if name == "append":  # it was done, and the answer got lost
                        files.append(*arguments)
                    raise SharedStorageError("the network is down")
                return getattr(files, name)(*arguments)

            return call

    append(tmp_path / EVENTS, b"".join(STORY))
    manager = Manager(Failing())
    await manager.spool.open()
    manager.spool.launch("t1", 0, LAUNCH)
    await manager.until(TrialEnded)
    await manager.spool.close()
    assert manager.values() == list(range(5))
    assert (tmp_path / ORDERS).read_bytes() == LAUNCH
    assert caplog.text.count("job job cannot be followed, trying again: the network is down") == 3


async def test_trials_of_a_job_that_is_over_end_after_its_last_words(tmp_path: Path) -> None:
    append(tmp_path / EVENTS, b"".join(STORY[:2]))
    manager = Manager(MountedFiles(tmp_path), settle_seconds=0.3)
    await manager.spool.open()
    manager.spool.launch("t1", 0, LAUNCH)
    manager.spool.launch("t2", 0, LAUNCH.replace(b"t1", b"t2"))
    await manager.until(TrialReported)
    manager.spool.job_ended("the job was preempted")
    append(tmp_path / EVENTS, b"".join(STORY[2:]))
    await manager.until(TrialEnded, 2)
    await manager.spool.close()
    ends = {event.trial_id: event for event in manager.seen if isinstance(event, TrialEnded)}
    assert (ends["t1"].exit_code, ends["t1"].problem) == (0, "")
    assert (ends["t2"].exit_code, ends["t2"].problem) == (None, "the job was preempted")
    assert manager.values() == list(range(5))


# The job's side


def message(data: bytes | None) -> str:
    return "" if data is None else next(iter(json.loads(data)))


def test_orders_that_come_again_start_nothing_twice() -> None:
    trials = SpooledTrials()
    assert message(trials.order(LAUNCH)) == "launch"
    assert trials.order(LAUNCH) is None
    assert trials.told(STARTED.strip()) and not trials.told(STARTED.strip())
    assert not trials.are_over
    assert [message(order) for order in trials.unfinished_orders()] == ["adopt"]
    assert trials.told(ENDED.strip()) and not trials.told(ENDED.strip()) and trials.are_over
    assert trials.order(LAUNCH) is None and trials.unfinished_orders() == []


def test_a_job_that_was_started_again_adopts_what_it_had_told_of() -> None:
    trials = SpooledTrials()
    for told in (STARTED, reported(0, 10), reported(1, 20)):
        trials.told(told.strip())
    order = trials.order(LAUNCH)
    assert order is not None
    assert json.loads(order) == {"adopt": {"trialId": "t1", "attempt": 0, "acknowledgedOffset": "20"}}
    assert not trials.told(reported(1, 20).strip()) and trials.told(reported(2, 30).strip())
    assert message(SpooledTrials().order(LAUNCH)) == "launch"


def test_a_trial_that_waited_only_is_launched_by_the_next_spool() -> None:
    trials = SpooledTrials()
    trials.told(line("waits", reason="no room").strip())
    assert message(trials.order(LAUNCH)) == "launch"


def test_a_cancelled_trial_stays_so_for_another_courier() -> None:
    trials = SpooledTrials()
    trials.order(LAUNCH)
    assert message(trials.order(messages.cancel("t1", 0, 2, 1.0))) == "cancel"
    assert [message(order) for order in trials.unfinished_orders()] == ["launch", "cancel"]


@pytest.mark.parametrize(
    "broken", [b"{", b"[]", b"5", b'{"launch": {}}', b'{"launch": 5}', b'{"a": 1, "b": 2}']
)
def test_lines_that_mean_nothing_change_nothing(broken: bytes) -> None:
    trials = SpooledTrials()
    assert trials.order(broken) is None and not trials.told(broken) and not trials.are_over


def test_two_writers_are_noticed(tmp_path: Path) -> None:
    files = FolderFiles(str(tmp_path))
    first, second = Appender(files, "events"), Appender(files, "events")
    for writer in (first, second):
        writer.begin()
        writer.add(b"line of " + str(id(writer)).encode())
    first.send()
    with pytest.raises(OtherWriterError):
        second.send()


def test_a_line_that_was_cut_short_is_ended_by_the_next_spool(tmp_path: Path) -> None:
    append(tmp_path / "events", b"whole\nhal")
    writer = Appender(FolderFiles(str(tmp_path)), "events")
    writer.begin()
    writer.add(b"next")
    writer.send()
    assert (tmp_path / "events").read_bytes() == b"whole\nhal\nnext\n"
    assert read_lines(FolderFiles(str(tmp_path)), "events", 0) == ([b"whole", b"hal", b"next"], 15)
