from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from nni_manager.tensor_board import boards as boards_module
from nni_manager.tensor_board.board import TensorBoardFailedError
from nni_manager.tensor_board.boards import TensorBoards
from nni_manager.testing import fake_tensorboard


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "packages"
    fake_tensorboard.install(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
async def boards() -> AsyncIterator[TensorBoards]:
    with tempfile.TemporaryDirectory(prefix="tb-") as folder:
        boards = TensorBoards(Path(folder))
        yield boards
        await boards.close()
        assert list(Path(folder).iterdir()) == []


def runs(folder: Path, *names: str) -> dict[str, Path]:
    found = {name: folder / "logs" / name for name in names}
    for path in found.values():
        path.mkdir(parents=True, exist_ok=True)
    return found


async def ask(socket: Path, path: str) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_it_reads_the_logs_under_the_names_of_the_runs_on_a_private_socket(
    boards: TensorBoards, installed: Path, tmp_path: Path
) -> None:
    async def find() -> Mapping[str, Path]:
        return runs(tmp_path, "0-aaaaa", "1-bbbbb")

    kept = await boards.create("e", ("aaaaa", "bbbbb"), find)
    assert b'"runs": ["0-aaaaa", "1-bbbbb"]' in await ask(kept.board.socket, "/")
    assert kept.board.folder.stat().st_mode & 0o077 == 0
    assert boards.of("e") == [kept] and boards.of("f") == []
    await boards.delete(kept.board_id)
    assert boards.of("e") == [] and not kept.board.folder.exists()


async def test_the_same_trials_again_get_the_same_one(
    boards: TensorBoards, installed: Path, tmp_path: Path
) -> None:
    async def find() -> Mapping[str, Path]:
        return runs(tmp_path, "0-aaaaa")

    kept = await boards.create("e", ("a", "b"), find)
    assert await boards.create("e", ("b", "a"), find) is kept
    assert await boards.create("e", (), find) is not kept


async def test_logs_that_come_later_are_found(
    boards: TensorBoards, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards_module, "_SECONDS_BETWEEN_LOOKS", 0.01)
    names = ["0-aaaaa"]

    async def find() -> Mapping[str, Path]:
        return runs(tmp_path, *names)

    kept = await boards.create("e", (), find)
    names.append("1-bbbbb")
    while b"1-bbbbb" not in await ask(kept.board.socket, "/"):
        pass


async def test_one_that_ends_says_why_and_another_takes_its_place(
    boards: TensorBoards, installed: Path, tmp_path: Path
) -> None:
    async def find() -> Mapping[str, Path]:
        return runs(tmp_path, "0-aaaaa")

    kept = await boards.create("e", (), find)
    await ask(kept.board.socket, "/end")
    while not kept.board.problem:
        await asyncio.sleep(0)
    assert kept.board.problem == "TensorBoard ended with exit code 3\nit broke"
    assert await boards.create("e", (), find) is not kept


async def test_one_that_cannot_start_is_an_error_with_what_it_printed(
    boards: TensorBoards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tensorboard.install(tmp_path / "packages", "raise SystemExit('no such plugin')")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))

    async def find() -> Mapping[str, Path]:
        return runs(tmp_path, "0-aaaaa")

    with pytest.raises(TensorBoardFailedError, match="exit code 1\nno such plugin"):
        await boards.create("e", (), find)
    assert boards.of("e") == []


async def test_without_the_package_the_error_says_how_to_install_it(
    boards: TensorBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards_module, "_LIBRARIES", ("no_such_tensorboard",))

    async def find() -> Mapping[str, Path]:
        raise AssertionError

    with pytest.raises(TensorBoardFailedError, match=r'pip install "nni-manager\[tensorboard\]"'):
        await boards.create("e", (), find)


async def test_without_logs_nothing_is_started(boards: TensorBoards, installed: Path) -> None:
    async def find() -> Mapping[str, Path]:
        return {}

    with pytest.raises(TensorBoardFailedError, match="no trial has a folder tensorboard"):
        await boards.create("e", (), find)
    assert boards.of("e") == []


async def test_there_is_a_limit_to_how_many_are_kept(
    boards: TensorBoards, installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boards_module, "_MOST", 1)

    async def find() -> Mapping[str, Path]:
        return runs(tmp_path, "0-aaaaa")

    await boards.create("e", ("a",), find)
    with pytest.raises(TensorBoardFailedError, match="delete one first"):
        await boards.create("e", ("b",), find)
