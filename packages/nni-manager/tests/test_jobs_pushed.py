"""Events of a job that come over the network and by the storage: one file for whoever reads it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni.manager_calls import ManagerAwayError
from nni.manager_files import ManagerFiles
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.training.jobs import pushed as module
from nni_manager.training.jobs.pushed import PushedEvents, PushedFiles, UnknownJobError

EVENTS, ORDERS = "spool/job/events.jsonl", "spool/job/orders.jsonl"


class Storage:
    """A storage that may show the manager less than there is, and zeros at the end of that."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.shown: int | None = None
        self.zeros = 0
        self.reads = 0

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        self.reads += 1
        data = self.files.get(name, b"")
        if self.shown is not None:
            data = data[: self.shown]
            zeros = min(self.zeros, len(data))
            data = data[: len(data) - zeros] + b"\0" * zeros
        data = data[offset:]
        return data if limit is None else data[:limit]

    def append(self, name: str, data: bytes, position: int) -> None:
        assert len(self.files.get(name, b"")) == position
        self.files[name] = self.files.get(name, b"") + data

    def size(self, name: str) -> int:
        return len(self.files.get(name, b""))


class Link:
    """Stands for the network: calls get lost, and so do answers."""

    address = "here:1"

    def __init__(self) -> None:
        self.pushed: PushedFiles | None = None
        self.fails = ""

    def append_events(self, position: int, data: bytes) -> int:
        if self.fails == "call":
            raise ManagerAwayError("lost")
        assert self.pushed is not None
        known = self.pushed.take(position, data)
        if self.fails == "answer":
            raise ManagerAwayError("lost")
        return known


class Scene:
    """A job, a storage, a manager, and the lines that this manager has read."""

    def __init__(self) -> None:
        self.job_sees, self.manager_sees, self.link = Storage(), Storage(), Link()
        self.manager_sees.files = self.job_sees.files
        self.manager_sees.shown = 0
        self.lines: list[bytes] = []
        self.written = 0
        self.start_job()
        self.start_manager()

    def start_job(self) -> None:
        self.job: Any = ManagerFiles(self.job_sees, "job", self.link, self.link)  # type: ignore[arg-type]
        self.job.size(EVENTS)

    def start_manager(self) -> None:
        self.pushed = self.link.pushed = PushedFiles(self.manager_sees, "job")  # type: ignore[arg-type]
        self.lines, self.position = [], 0

    def append(self, lengths: list[int]) -> None:
        data = b""
        for length in lengths:
            data += b"%d:%s\n" % (self.written, b"x" * length)
            self.written += 1
        self.job.append(EVENTS, data, self.job_sees.size(EVENTS))

    def tell(self, fails: str) -> None:
        if self.job._told is None or self.job._told < self.job_sees.size(EVENTS):
            self.link.fails = fails
            try:
                self.job.tell_next()
            except ManagerAwayError as error:
                self.job._lose(error)

    def push(self, away: int, length: int) -> None:
        """Pushes any part of the file, often one that is about where the manager is."""
        data = self.job_sees.files.get(EVENTS, b"")
        start = min(max(0, self.pushed.take(0, b"") + away), len(data))
        self.pushed.take(start, data[start : start + length])

    def show(self, more: int, zeros: int) -> None:
        shown = self.manager_sees.shown or 0
        self.manager_sees.shown = min(shown + more, self.job_sees.size(EVENTS))
        self.manager_sees.zeros = zeros

    def read_all(self, limit: int) -> None:
        while self.read(limit):
            pass

    def look_back(self) -> None:
        """As JobSpool does for a trial that it is asked for late."""
        self.lines, self.position = [], 0

    def read(self, limit: int) -> bool:
        """As JobSpool does."""
        data = self.pushed.read(EVENTS, self.position, limit)
        if len(data) == limit and b"\n" not in data:
            data = self.pushed.read(EVENTS, self.position)
        data = data[: data.rfind(b"\n") + 1]
        hole = data.find(b"\0")
        if hole >= 0:
            data = data[: data.rfind(b"\n", 0, hole) + 1]
        self.position += len(data)
        self.lines += [line for line in data.split(b"\n") if line]
        return bool(data)


_ACTIONS = st.one_of(
    st.tuples(st.just("append"), st.lists(st.integers(0, 12), min_size=1, max_size=4)),
    st.tuples(st.just("tell"), st.sampled_from(["", "call", "answer"])),
    st.tuples(st.just("push"), st.integers(-20, 6), st.integers(0, 60)),
    st.tuples(st.just("show"), st.integers(0, 100), st.integers(0, 6)),
    st.tuples(st.sampled_from(["read", "read_all"]), st.integers(4, 200)),
    st.tuples(st.just("start_job")),
    st.tuples(st.just("start_manager")),
    st.tuples(st.just("look_back")),
)


async def test_every_line_is_read_once_and_in_order_whatever_the_two_ways_do() -> None:
    _play()  # within the loop of this test: the files belong to one


@given(st.lists(_ACTIONS, min_size=15, max_size=40), st.booleans())
def _play(actions: list[tuple[Any, ...]], ends_by_storage: bool) -> None:
    scene = Scene()
    for name, *arguments in actions:
        getattr(scene, name)(*arguments)
        everything = scene.job_sees.files.get(EVENTS, b"").split(b"\n")[:-1]
        assert scene.lines == everything[: len(scene.lines)]
    if ends_by_storage:
        scene.show(1 << 20, 0)
    else:
        scene.start_manager()  # all of it comes by the network alone
        scene.job._lose(ManagerAwayError("the connection broke"))
        scene.manager_sees.shown = 0
        while scene.pushed.take(0, b"") < scene.job_sees.size(EVENTS):
            scene.tell("")
    scene.read_all(64)
    assert scene.lines == scene.job_sees.files.get(EVENTS, b"").split(b"\n")[:-1]
    assert len(scene.lines) == scene.written


async def test_what_is_told_wakes_whoever_follows_and_needs_no_look_at_the_storage() -> None:
    storage, woken = Storage(), []
    storage.files[EVENTS] = b'{"a": 1}\n{"b": 2}\n'
    storage.shown = 0
    files = PushedFiles(storage, "job")  # type: ignore[arg-type]
    files.on_pushed = lambda: woken.append(True)
    assert files.take(0, b'{"a": 1}\n{"b"') == 13
    assert files.read(EVENTS, 0, 100) == b'{"a": 1}\n' and storage.reads == 0
    assert files.read(EVENTS, 9, 100) == b"" and storage.reads == 1  # a line that is not whole may stay so
    assert files.take(20, b"x") == 13 and files.take(0, b"") == 13 and woken == [True]
    assert files.take(13, b": 2}\n") == 18
    assert files.read(EVENTS, 9, 100) == b'{"b": 2}\n' and woken == [True, True]


async def test_what_the_storage_showed_sooner_is_known_and_never_told_at_a_wrong_place() -> None:
    storage, text = Storage(), b"one\ntwo\nthree\nfo"
    files = PushedFiles(storage, "job")  # type: ignore[arg-type]
    assert files.take(0, b"one\n") == 4
    storage.files[EVENTS] = text
    assert files.read(EVENTS, 4, 100) == text[4:]
    assert files.take(0, b"") == 14  # what is whole: the rest may be zeros yet
    assert files.take(14, b"four\n") == 19
    assert files.read(EVENTS, 0, 100) == text
    assert files.read(EVENTS, 4, 100) == text[4:]
    assert files.read(EVENTS, 14, 100) == b"four\n"


async def test_what_nobody_reads_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 100)
    storage = Storage()
    files = PushedFiles(storage, "job")  # type: ignore[arg-type]
    lines = [b"%03d\n" % number for number in range(1000)]
    for number, line in enumerate(lines):
        assert files.take(4 * number, line) == 4 * number + 4
    storage.files[EVENTS] = b"".join(lines)
    assert len(files._kept) <= 104
    position, read = 0, []
    while data := files.read(EVENTS, position, 400):
        read += data.split()
        position += len(data)
    assert b"".join(line + b"\n" for line in read) == b"".join(lines)


async def test_orders_are_told_once_they_are_in_the_storage() -> None:
    pushed, storage = PushedEvents(), Storage()
    files = pushed.open("job", storage)  # type: ignore[arg-type]
    waiting = asyncio.create_task(pushed.orders("job", 0, 60.0))
    await asyncio.sleep(0)
    await asyncio.to_thread(files.append, ORDERS, b"one\n", 0)
    assert await waiting == b"one\n" and storage.reads == 0
    waiting = asyncio.create_task(pushed.orders("job", 4, 60.0))
    await asyncio.to_thread(files.append, ORDERS, b"two\n", 4)
    assert await waiting == b"two\n"
    assert await pushed.orders("job", 0, 60.0) == b"one\ntwo\n" and storage.reads == 1
    assert await pushed.orders("job", 8, 0.0) == b""


async def test_a_manager_that_comes_back_tells_orders_of_the_earlier_one() -> None:
    storage = Storage()
    storage.files[ORDERS] = b"one\ntwo\n"
    files = PushedFiles(storage, "job")  # type: ignore[arg-type]
    waiting = asyncio.create_task(files.orders(4, 60.0))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(files.size, ORDERS) == 8  # JobSpool asks for it when it opens
    assert await waiting == b"two\n"


async def test_orders_that_cannot_be_read_now_are_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.0)
    storage, failures = Storage(), iter([SharedStorageError("away")])
    storage.files[ORDERS] = b"one\n"
    files = PushedFiles(storage, "job")  # type: ignore[arg-type]
    read = storage.read

    def failing(*arguments: Any) -> bytes:
        for error in failures:
            raise error
        return read(*arguments)

    monkeypatch.setattr(storage, "read", failing)
    files.size(ORDERS)
    waiting = asyncio.create_task(files.orders(0, 60.0))
    await asyncio.sleep(0)
    assert await waiting == b"one\n"


async def test_a_job_that_nobody_follows_is_unknown_and_does_not_wait_on() -> None:
    pushed = PushedEvents()
    pushed.open("job", Storage())  # type: ignore[arg-type]
    waiting = asyncio.create_task(pushed.orders("job", 0, 60.0))
    await asyncio.sleep(0)
    pushed.close()
    assert await waiting == b""
    for position in (0, 5):
        with pytest.raises(UnknownJobError, match="follows no job 'job'"):
            pushed.append("job", position, b"x")
    with pytest.raises(UnknownJobError):
        await pushed.orders("job", 0, 60.0)
