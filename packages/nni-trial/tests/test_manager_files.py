"""A job's files, of which the manager knows early when it can be reached."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

import pytest
from nni import manager_files
from nni.manager_calls import ManagerAwayError, ManagerCalls, ManagerRefusedError
from nni.manager_files import ManagerFiles
from nni.spool_files import Appender, read_lines

EVENTS, ORDERS = "spool/job/events.jsonl", "spool/job/orders.jsonl"
PATIENCE = 30.0


class Storage:
    """Files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.looks: list[str] = []

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        self.looks.append(name)
        data = self.files.get(name, b"")[offset:]
        return data if limit is None else data[:limit]

    def size(self, name: str) -> int:
        return len(self.files.get(name, b""))

    def append(self, name: str, data: bytes, position: int) -> None:
        assert self.size(name) == position
        self.files[name] = self.files.get(name, b"") + data


class Manager:
    """Answers as the manager does, or not at all."""

    address = "manager:1"

    def __init__(self) -> None:
        self.events = b""
        self.orders: queue.Queue[Any] = queue.Queue()
        self.problem: Exception | None = None
        self.heard = threading.Condition()
        self.asked: list[int] = []
        self.calls = 0

    def append_events(self, position: int, data: bytes) -> int:
        with self.heard:
            self.calls += 1
            self.heard.notify_all()
            if self.problem is not None:
                raise self.problem
            if position <= len(self.events):
                self.events += data[len(self.events) - position :]
            return len(self.events)

    def read_orders(self, position: int, wait_seconds: float) -> bytes:
        with self.heard:
            self.asked.append(position)
            self.heard.notify_all()
        found = self.orders.get(timeout=PATIENCE)
        if isinstance(found, Exception):
            raise found
        return bytes(found)

    def until(self, what: Any) -> None:
        with self.heard:
            assert self.heard.wait_for(what, PATIENCE)

    def close(self) -> None:
        return


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LEAST_WAIT", "_PAUSE"):
        monkeypatch.setattr(manager_files, name, 0.01)


@pytest.fixture
def scene() -> Any:
    storage, manager = Storage(), Manager()
    files = ManagerFiles(storage, "job", manager, manager)  # type: ignore[arg-type]
    yield storage, manager, files
    manager.orders.put(b"")
    files.close()


def _appender(files: ManagerFiles) -> Appender:
    appender = Appender(files, EVENTS)
    appender.begin()
    return appender


def test_what_is_written_is_told_once_it_is_stored(
    scene: tuple[Storage, Manager, ManagerFiles],
) -> None:
    storage, manager, files = scene
    storage.files[EVENTS] = b"of an earlier spool\n"
    appender = _appender(files)
    files.start()
    for number in range(20):
        appender.add(b"%d" % number)
        appender.send()
    manager.until(lambda: manager.events == storage.files[EVENTS])
    assert manager.events.startswith(b"of an earlier spool\n0\n1\n") and files.notes() == []


def test_what_cannot_be_written_is_not_told(scene: tuple[Storage, Manager, ManagerFiles]) -> None:
    storage, manager, files = scene
    appender = _appender(files)
    files.start()
    manager.until(lambda: manager.calls)

    def full(*arguments: Any) -> None:
        assert files._stored == 0
        raise OSError("full")

    append, storage.append = storage.append, full  # type: ignore[method-assign]
    appender.add(b"one")
    with pytest.raises(OSError, match="full"):
        appender.send()
    assert files._stored == 0 and manager.events == b""
    storage.append = append  # type: ignore[method-assign]
    appender.send()
    manager.until(lambda: manager.events == b"one\n")


def test_a_manager_that_knows_less_is_told_from_there(scene: tuple[Storage, Manager, ManagerFiles]) -> None:
    _, manager, files = scene
    appender = _appender(files)
    files.start()
    appender.add(b"one")
    appender.send()
    manager.until(lambda: manager.events == b"one\n")
    with manager.heard:
        manager.events = b""  # another one, which has not read the storage yet
    appender.add(b"two")
    appender.send()
    manager.until(lambda: manager.events == b"one\ntwo\n")


def test_a_manager_that_cannot_be_reached_is_told_of_once_and_tried_again(
    scene: tuple[Storage, Manager, ManagerFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, manager, files = scene
    monkeypatch.setattr(manager_files, "AGAIN_SECONDS", 0.01)
    manager.problem = ManagerAwayError("connection refused")
    appender = _appender(files)
    files.start()
    manager.until(lambda: manager.calls >= 3)
    (note,) = files.notes()
    assert "cannot be reached at manager:1 (connection refused)" in json.loads(note)["problem"]["message"]
    appender.add(b"one")
    appender.send()
    with manager.heard:
        manager.problem = None
    manager.until(lambda: manager.events == b"one\n")
    with manager.heard:
        manager.problem = ManagerRefusedError("no such job", 404)
    manager.orders.put(ManagerAwayError("gone"))
    manager.until(lambda: manager.calls >= 6)
    assert files.notes() == []


def test_orders_are_told_and_the_storage_is_left_alone_meanwhile(
    scene: tuple[Storage, Manager, ManagerFiles],
) -> None:
    storage, manager, files = scene
    storage.files[ORDERS] = b"one\n"
    lines, position = read_lines(files, ORDERS, 0)
    assert lines == [b"one"]
    files.start()
    manager.orders.put(b"two\n")
    manager.orders.put(b"three\nfo")
    manager.until(lambda: len(manager.asked) == 3)
    looks = len(storage.looks)
    assert read_lines(files, ORDERS, position) == ([b"two", b"three"], 14)
    assert storage.looks[looks:] == [] and manager.asked == [4, 8, 16]
    assert read_lines(files, ORDERS, 14) == ([], 14)  # where a line is not whole, the storage may have it
    assert storage.looks[looks:] == [ORDERS]
    manager.orders.put(b"ur\n")
    manager.until(lambda: len(manager.asked) == 4)
    assert read_lines(files, ORDERS, 14) == ([b"four"], 19)
    assert read_lines(files, ORDERS, 19) == ([], 19)
    assert storage.looks[looks:] == [ORDERS]


def test_orders_that_the_storage_had_sooner_are_taken_once(
    scene: tuple[Storage, Manager, ManagerFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, manager, files = scene
    monkeypatch.setattr(manager_files, "LOOK_SECONDS", 0.0)
    files.start()
    manager.until(lambda: manager.asked == [0])
    storage.files[ORDERS] = b"one\n"
    assert read_lines(files, ORDERS, 0) == ([b"one"], 4)
    manager.orders.put(b"one\ntwo\n")
    manager.until(lambda: len(manager.asked) == 2)
    assert read_lines(files, ORDERS, 4) == ([b"two"], 8) and manager.asked == [0, 8]


def test_the_storage_is_looked_at_again_when_the_manager_has_gone(
    scene: tuple[Storage, Manager, ManagerFiles],
) -> None:
    storage, manager, files = scene
    assert read_lines(files, ORDERS, 0) == ([], 0)
    files.start()
    manager.until(lambda: manager.calls)
    with manager.heard:
        manager.problem = ManagerAwayError("gone")
    manager.orders.put(ManagerAwayError("gone"))
    storage.files[ORDERS] = b"one\n"
    lines: list[bytes] = []
    while not lines:
        lines, position = read_lines(files, ORDERS, 0)
    assert lines == [b"one"] and position == 4


@pytest.mark.parametrize("access", ["", "e30=", "{}", "####", "eyJob3N0IjogImgifQ=="])
def test_what_does_not_say_where_the_manager_is(access: str) -> None:
    with pytest.raises(ValueError, match="cannot be understood"):
        ManagerCalls(access)
