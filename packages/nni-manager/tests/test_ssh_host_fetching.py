"""What a machine that lies about its files can do here: nothing."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.training.ssh.fetching import Fetcher
from nni_manager.training.ssh.file_channel import FileRequestError
from nni_manager.training.ssh.mirror import LogMirror
from nni_manager.training.ssh.mirror_folder import MirrorFolder, checked_parts

OUTSIDE = ["../x", "/x", "a/../../x", "a//b", "", ".", "..", "a/.", "x\0y", "a/" + "b" * 256, "\ud800"]


class LyingMachine:
    """Answers as a test wants."""

    def __init__(self, **answers: tuple[dict[str, Any], bytes]) -> None:
        self.answers: dict[str, tuple[dict[str, Any], bytes]] = {"logs": ({"logs": []}, b""), **answers}

    async def ask(self, do: str, **details: Any) -> tuple[dict[str, Any], bytes]:
        return self.answers[do]


def listing(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"files": list(files), "links": [], "others": [], "unreadable": [], **more}


def file(path: str, size: int = 1, *, whole: bool = True) -> dict[str, Any]:
    return {"path": path, "of": size, "executable": False, "whole": whole}


async def fetch(folder: Path, machine: Any, max_bytes: int = 100) -> bool:
    trials = folder / "trials"
    mirror = LogMirror("gpu-a", machine, trials, max_bytes)
    return await Fetcher("gpu-a", machine, mirror, trials, ["*"], max_bytes).fetch("abcde", 0, "/there/abcde")


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("path", OUTSIDE)
async def test_no_file_is_written_outside(tmp_path: Path, path: str) -> None:
    machine = LyingMachine(outputs=(listing(file(path), file("good")), b"xy"))
    assert not await fetch(tmp_path, machine)
    assert everything(tmp_path) == ["trials/abcde/good", "trials/abcde/not_fetched.txt"]
    assert (tmp_path / "trials/abcde/good").read_bytes() == b"y"


@pytest.mark.parametrize("target", ["..", "../x", "/etc/passwd", "a/../..", "", "."])
async def test_no_link_leads_outside(tmp_path: Path, target: str) -> None:
    machine = LyingMachine(outputs=(listing(links=[["link", target], ["../up", "good"]]), b""))
    assert await fetch(tmp_path, machine)
    assert everything(tmp_path) == ["trials/abcde/not_fetched.txt"]


async def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine")
    here = tmp_path / "trials" / "abcde"
    here.mkdir(parents=True)
    (here / "folder").symlink_to(outside)
    (here / "file").symlink_to(outside / "file")
    (here / "stdout").symlink_to(outside / "file")
    machine = LyingMachine(outputs=(listing(file("folder/new"), file("file")), b"xy"))
    assert not await fetch(tmp_path, machine)
    assert everything(outside) == ["file"]
    assert (outside / "file").read_text() == "mine"
    assert not (here / "file").is_symlink() and (here / "file").read_text() == "y"
    with pytest.raises(OSError, match="symbolic links"):
        MirrorFolder(here).write_at("stdout", 0, b"theirs")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        listing({"path": "x"}),
        listing(file("x", -1)),
        listing(file("x", 2)),
        listing(file(".nni/0/ended.json")),
        listing(file(".nni/1/exit.json")),
        listing(file(".nni/mirror.json")),
        listing({**file("x"), "path": 3}),
        listing(links=[["a"]]),
        listing(others=None),
        listing(unreadable=3),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(tmp_path: Path, answer: dict[str, Any]) -> None:
    with pytest.raises(FileRequestError):
        await fetch(tmp_path, LyingMachine(outputs=(answer, b"x")))
    assert all(name.startswith("trials/abcde/x") for name in everything(tmp_path))


@pytest.mark.parametrize(
    "piece",
    [
        {},
        {"trial": "other", "label": "l", "name": "stdout", "offset": 0, "length": 1, "of": 1},
        {"trial": "abcde", "label": "l", "name": "../../x", "offset": 0, "length": 1, "of": 1},
        {"trial": "abcde", "label": "l", "name": "stdout", "offset": -1, "length": 1, "of": 1},
        {"trial": "abcde", "label": "l", "name": "stdout", "offset": 0, "length": 2, "of": 2},
        {"trial": "abcde", "label": "l", "name": "stdout", "offset": "x", "length": 1, "of": 1},
    ],
)
async def test_logs_that_make_no_sense_are_refused(tmp_path: Path, piece: dict[str, Any]) -> None:
    machine: Any = LyingMachine(logs=({"logs": [piece]}, b"x"))
    with pytest.raises(FileRequestError):
        await LogMirror("gpu-a", machine, tmp_path, 100).refresh(["abcde"])
    assert everything(tmp_path) == []


async def test_a_file_that_becomes_shorter_is_told(tmp_path: Path) -> None:
    machine = LyingMachine(outputs=(listing(file("x", 5, whole=False)), b""), read=({}, b"abc"))
    assert not await fetch(tmp_path, machine)
    assert everything(tmp_path) == ["trials/abcde/not_fetched.txt"]
    assert "x: it became shorter" in (tmp_path / "trials/abcde/not_fetched.txt").read_text()


async def test_files_beyond_the_limit_are_told_and_smaller_ones_come(tmp_path: Path) -> None:
    machine = LyingMachine(outputs=(listing(file("a", 60), file("b", 60), file("c", 40)), b"x" * 160))
    assert not await fetch(tmp_path, machine)
    assert everything(tmp_path) == ["trials/abcde/a", "trials/abcde/c", "trials/abcde/not_fetched.txt"]


@given(st.text(st.sampled_from("ab./\0\n\udcff"), max_size=12))
def test_paths_that_are_taken_lead_down(path: str) -> None:
    try:
        parts = checked_parts(path)
    except ValueError:
        return
    assert os.path.normpath(path) == path == "/".join(parts)
    assert not path.startswith("/") and ".." not in parts


async def test_a_late_answer_cuts_off_nothing_of_a_log(tmp_path: Path) -> None:
    """Two that ask about the same log do so one after the other."""
    there = [b"one\n"]
    asked: list[int] = []
    go_on = asyncio.Event()

    class GrowingLog:
        async def ask(self, do: str, **details: Any) -> tuple[dict[str, Any], bytes]:
            have = max(0, details["trials"][0]["sizes"]["stdout"])
            size, data = len(there[0]), there[0][have:]
            asked.append(have)
            if len(asked) == 1:
                await go_on.wait()
            piece = {"trial": "abcde", "label": "l", "name": "stdout", "offset": have, "length": len(data)}
            return {"logs": [{**piece, "of": size}] if data else []}, data

    mirror = LogMirror("gpu-a", GrowingLog(), tmp_path, 1000)  # type: ignore[arg-type]
    first = asyncio.create_task(mirror.refresh(["abcde"]))
    while not asked:
        await asyncio.sleep(0)
    there[0] += b"two\n"
    second = asyncio.create_task(mirror.refresh(["abcde"]))
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, second)
    assert (tmp_path / "abcde" / "stdout").read_bytes() == b"one\ntwo\n"
    assert asked == [0, 4]


async def test_the_next_manager_copies_no_log_twice(tmp_path: Path) -> None:
    """Of a looping trial that has ended nothing is noted, and a manager may die before it has all."""
    log = b"one\ntwo\n"

    class EndedLog:
        async def ask(self, do: str, **details: Any) -> tuple[dict[str, Any], bytes]:
            wanted = details["trials"][0]
            have = max(0, wanted["sizes"]["stdout"]) if wanted["label"] == "l" else 0
            size = {"offset": have, "length": len(log) - have, "of": len(log)}
            return {"logs": [{"trial": "abcde", "label": "l", "name": "stdout", **size}]}, log[have:]

    (tmp_path / "abcde").mkdir()
    (tmp_path / "abcde" / "stdout").write_bytes(b"one\n")
    for _ in range(2):
        mirror = LogMirror("gpu-a", EndedLog(), tmp_path, 1000)  # type: ignore[arg-type]
        await mirror.refresh(["abcde"], once=["abcde"])
        assert (tmp_path / "abcde" / "stdout").read_bytes() == log
