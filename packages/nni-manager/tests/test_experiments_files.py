"""Files of a folder: which are listed, which are read, and how one that changes is followed."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.experiments import files_reading
from nni_manager.experiments.errors import FileMissingError, InvalidArgumentError
from nni_manager.experiments.files import list_files, open_file
from nni_manager.experiments.files_reading import Piece, follow_file, read_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trial"
    (folder / "models" / "best").mkdir(parents=True)
    (folder / ".nni" / "0").mkdir(parents=True)
    (folder / "stdout").write_bytes(b"0123456789")
    (folder / "models" / "best" / "weights.bin").write_bytes(b"w")
    (folder / "models" / ".nni").write_bytes(b"not ours")
    (folder / ".nni" / "0" / "run.json").write_text("{}")
    (tmp_path / "secret").write_text("secret")
    return folder


def test_all_regular_files_are_listed_by_path_and_ours_are_not(folder: Path) -> None:
    found = list_files(folder)
    assert [(file.path, file.size) for file in found] == [
        ("models/.nni", 8),
        ("models/best/weights.bin", 1),
        ("stdout", 10),
    ]
    assert found[2].modified_at == (folder / "stdout").stat().st_mtime


def test_links_are_listed_and_read_only_where_they_stay_inside(folder: Path) -> None:
    (folder / "latest").symlink_to("models/best/weights.bin")
    (folder / "models" / "up").symlink_to("../stdout")
    (folder / "out").symlink_to("../secret")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "ours").symlink_to(".nni/0/run.json")
    (folder / "folder").symlink_to("models")
    (folder / "loop").symlink_to("loop")
    (folder / "nowhere").symlink_to("gone")
    listed = [file.path for file in list_files(folder)]
    assert listed == ["latest", "models/.nni", "models/best/weights.bin", "models/up", "stdout"]
    assert content(folder, "latest") == b"w"
    assert content(folder, "models/up") == b"0123456789"
    assert content(folder, "folder/best/weights.bin") == b"w"
    for path in ("out", "absolute", "ours", "folder"):
        with pytest.raises(InvalidArgumentError, match=f"^path: '{path}' is a"):
            open_file(folder, path)
    for path in ("loop", "nowhere"):
        with pytest.raises(FileMissingError, match=path):
            open_file(folder, path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "..",
        "../secret",
        "models/../../secret",
        "models//best",
        "./stdout",
        "stdout/",
        "a\0b",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(InvalidArgumentError, match="is not the path of a file in the folder"):
        open_file(folder, path)


def test_what_is_ours_and_what_is_no_file_is_refused_without_waiting(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        for path in ("pipe", "socket"):
            with pytest.raises(InvalidArgumentError, match="is a pipe, a socket or a device"):
                open_file(folder, path)
    with pytest.raises(InvalidArgumentError, match="'models' is a folder"):
        open_file(folder, "models")
    with pytest.raises(InvalidArgumentError, match="is the manager's own"):
        open_file(folder, ".nni/0/run.json")
    assert {"pipe", "socket"}.isdisjoint(file.path for file in list_files(folder))


def test_a_folder_that_was_replaced_by_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(folder)
    with pytest.raises(InvalidArgumentError, match="is a link"):
        open_file(tmp_path / "moved", "stdout")


def test_names_that_are_no_text_are_left_out(folder: Path) -> None:
    (folder / os.fsdecode(b"bad\xff")).write_bytes(b"x")
    (folder / "größe\n").write_bytes(b"x")
    assert [file.path for file in list_files(folder)][:1] == ["größe\n"]


@given(offset=st.integers(-12, 12), limit=st.integers(0, 12))
async def test_any_part_is_read(offset: int, limit: int) -> None:
    data = b"0123456789"
    with TemporaryDirectory() as folder:
        (Path(folder) / "stdout").write_bytes(data)
        pieces = [piece async for piece in read_file(Path(folder), "stdout", offset, limit)]
    start = offset if offset >= 0 else max(0, len(data) + offset)
    expected = data[start : start + limit] if limit else data[start:]
    assert b"".join(piece.content for piece in pieces) == expected
    assert pieces[0].offset == start and pieces[0].size == len(data)


async def test_a_large_file_comes_in_pieces(folder: Path) -> None:
    data = os.urandom(2 * files_reading.PIECE_BYTES + 5)
    (folder / "big").write_bytes(data)
    pieces = [piece async for piece in read_file(folder, "big", 0, 0)]
    assert [len(piece.content) for piece in pieces] == [files_reading.PIECE_BYTES] * 2 + [5]
    assert b"".join(piece.content for piece in pieces) == data


async def test_a_file_is_followed_until_its_end(folder: Path) -> None:
    ended = asyncio.Event()
    async with aclosing(following(folder, "stdout", ended, offset=-3)) as pieces:
        assert await soon(pieces) == Piece(b"789", 7, 10)
        append(folder / "stdout", b"more")
        assert await soon(pieces) == Piece(b"more", 10, 14)
        append(folder / "stdout", b"last")
        ended.set()
        assert [piece async for piece in pieces] == [Piece(b"last", 14, 18)]


async def test_a_file_that_is_shortened_or_replaced_is_told_from_its_start(folder: Path) -> None:
    ended = asyncio.Event()
    path = folder / "stdout"
    async with aclosing(following(folder, "stdout", ended)) as pieces:
        assert (await soon(pieces)).content == b"0123456789"
        path.write_bytes(b"short")
        assert await soon(pieces) == Piece(b"short", 0, 5)
        append(path, b" tail")
        path.rename(folder / "stdout.1")
        path.write_bytes(b"a new and longer one")
        told = [await soon(pieces), await soon(pieces)]
        assert told == [Piece(b" tail", 5, 10), Piece(b"a new and longer one", 0, 20)]
        path.write_bytes(b"")
        assert await soon(pieces) == Piece(b"", 0, 0)


async def test_what_was_added_before_a_file_was_replaced_is_told(folder: Path) -> None:
    path = folder / "stdout"
    looks = 0

    async def has_ended() -> bool:  # is asked when all that was there has been told
        nonlocal looks
        looks += 1
        if looks == 2:
            append(path, b" tail")
            path.rename(folder / "stdout.1")
            path.write_bytes(b"new")
        return looks == 2

    told = [piece.content async for piece in follow_file(folder, "stdout", 0, 0, has_ended)]
    assert told == [b"0123456789", b" tail", b"new"]


async def test_a_file_that_is_not_there_yet_is_waited_for(folder: Path) -> None:
    ended = asyncio.Event()
    async with aclosing(following(folder, "new", ended, offset=-100)) as pieces:
        assert await soon(pieces) == Piece(b"", 0, 0)
        (folder / "new").write_bytes(b"here")
        assert await soon(pieces) == Piece(b"here", 0, 4)
    ended.set()
    with pytest.raises(FileMissingError, match=r"there is no .*never"):
        assert [piece async for piece in following(folder, "never", ended)] == [Piece(b"", 0, 0)]


async def test_following_ends_at_the_limit(folder: Path) -> None:
    async with aclosing(following(folder, "stdout", asyncio.Event(), limit=12)) as pieces:
        assert (await soon(pieces)).content == b"0123456789"
        append(folder / "stdout", b"abcdef")
        assert [piece.content async for piece in pieces] == [b"ab"]


async def soon(pieces: AsyncGenerator[Piece, None]) -> Piece:
    """Returns the next piece; a test that waits for one in vain fails."""
    return await asyncio.wait_for(anext(pieces), 30)


def following(
    folder: Path, path: str, ended: asyncio.Event, offset: int = 0, limit: int = 0
) -> AsyncGenerator[Piece, None]:
    async def has_ended() -> bool:
        return ended.is_set()

    return follow_file(folder, path, offset, limit, has_ended)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def content(folder: Path, path: str) -> bytes:
    with os.fdopen(open_file(folder, path), "rb") as file:
        return file.read()
