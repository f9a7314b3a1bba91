"""What counts as code, its hash, and what has changed in it."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.code_folder.code_files import code_paths
from nni_manager.origin import code_state
from nni_manager.origin.code_state import CodeState, change_warning

names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda name: name not in (".", "..", ".nniignore", ".git"))
trees = st.dictionaries(names, st.binary(max_size=20), max_size=6)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    write(folder, "train.py", "first")
    write(folder, "lib/model.py", "class Model: pass")
    return folder


def write(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(folder: Path, experiments: Path | None = None) -> list[str]:
    def unreadable(error: OSError) -> None:
        raise error

    return [each.path for each in code_paths(folder, experiments or folder.parent / "none", unreadable)]


def state(folder: Path) -> CodeState:
    return CodeState(folder, folder.parent / "none")


def read_state(folder: Path) -> CodeState:
    made = state(folder)
    made.read()
    return made


def test_what_counts_as_code(code: Path) -> None:
    for name in ("__pycache__/a.pyc", "lib/__pycache__/b.pyc", ".git/HEAD", "data/big.bin", "deep/data/x"):
        write(code, name)
    write(code, ".venv/pyvenv.cfg")
    write(code, ".venv/lib/numpy.py")
    write(code, "model.pt")
    write(code, "keep.pt")
    write(code, ".nniignore", "# comment\n*.pt\n!keep.pt\n/data/\n\n!\n")
    write(code, "lib/.nniignore", "/model*\n")
    write(code, "lib/deep/model.py")
    (code / "link").symlink_to("lib")
    os.mkfifo(code / "pipe")
    assert found(code) == [
        ".nniignore",
        ".venv",
        "deep",
        "keep.pt",
        "lib",
        "link",
        "pipe",
        "train.py",
        "deep/data",
        "lib/.nniignore",
        "lib/deep",
        "deep/data/x",
        "lib/deep/model.py",
    ]


def test_a_line_that_is_no_pattern_is_named_and_passed_over(
    code: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(code, ".nniignore", "!\nlib/\n")
    assert found(code) == [".nniignore", "train.py"]
    assert ".nniignore, line 1 is passed over" in caplog.text


@pytest.mark.parametrize("where", ["runs", "a/runs", "."])
def test_experiments_are_no_code(code: Path, where: str) -> None:
    before = state(code).read()
    experiments = code / where
    write(experiments, "abcd1234/db/experiment.sqlite")
    write(experiments, "abcd1234/trials/t/stdout")
    (experiments / "_latest").symlink_to("abcd1234")
    write(code, "older/abcd/db/experiment.sqlite")
    left = {"train.py", "lib", "lib/model.py", "older"} | ({"a"} if where == "a/runs" else set())
    assert set(found(code, experiments)) == left
    assert CodeState(code, experiments).read() == before


@given(first=trees, second=trees)
def test_the_hash_tells_folders_apart_by_names_and_contents_alone(tmp_path_factory, first, second) -> None:
    def made(tree: dict[str, bytes]) -> str:
        folder = tmp_path_factory.mktemp("tree")
        for name, content in tree.items():
            (folder / name).write_bytes(content)
        return state(folder).read()

    assert made(dict(reversed(first.items()))) == made(first)
    assert (made(first) == made(second)) == (first == second)


def test_the_hash_is_the_same_everywhere(code: Path) -> None:
    (code / "link").symlink_to("lib/model.py")
    write(code, "run.sh", "true").chmod(0o755)
    for path in (code, *code.rglob("*")):
        os.utime(path, (5, 5), follow_symlinks=False)
    # Written down, so that another version of the program that counts otherwise is noticed.
    assert state(code).read() == EXPECTED


EXPECTED = "ff1e4bf38f7772d6c7319fbb0d818b4f1a5fa74d3baa372b6b895f50c7618f12"


@pytest.mark.parametrize("change", ["mode", "name", "link", "content", "folder"])
def test_the_hash_sees(code: Path, change: str) -> None:
    (code / "link").symlink_to("train.py")
    before = state(code).read()
    if change == "mode":
        (code / "train.py").chmod(0o755)
    elif change == "name":
        (code / "train.py").rename(code / "other.py")
    elif change == "link":
        (code / "link").unlink()
        (code / "link").symlink_to("lib")
    elif change == "content":
        write(code, "train.py", "secon")
    else:
        (code / "lib").rename(code / "bil")
    assert state(code).read() != before


def test_large_files_are_known_by_size_and_time(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_state, "MOST_BYTES", 10)
    large = write(code, "large", "a" * 11)
    os.utime(large, (5, 5))
    before = state(code)
    known_hash = before.read()
    write(code, "large", "b" * 11)
    os.utime(large, (5, 5))
    assert state(code).read() == known_hash
    assert before.changed() == []
    os.utime(large, (6, 6))
    assert state(code).read() != known_hash
    assert before.changed() == ["large"]


def test_of_much_code_what_is_near_the_top_counts(
    code: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(code_state, "MOST_FILES", 3)
    for number in range(5):
        write(code, f"data/{number}")
    first = read_state(code)
    assert "more than 3 files" in caplog.text and ".nniignore" in caplog.text
    (code / "data" / "4").unlink()
    (code / "train.py").unlink()
    assert first.changed() == ["train.py"]


def test_what_cannot_be_read_is_named_once_and_is_not_fatal(
    code: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = os.open

    def refusing(path, *arguments, **options):
        if str(path).endswith(".py"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    unreadable = state(code)
    assert len(unreadable.read()) == 64
    assert unreadable.changed() == []
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "2 files or folders" in record.getMessage() and "model.py" in record.getMessage()


def test_a_folder_that_is_not_there_is_not_fatal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(state(tmp_path / "gone").read()) == 64
    assert "gone" in caplog.text


def test_what_changed(code: Path) -> None:
    (code / "link").symlink_to("train.py")
    for name in ("touched", "replaced", "same size", "removed", "emptied", "folder now"):
        write(code, name, "12345")
    before = read_state(code)
    os.utime(code / "touched", (5, 5))
    (code / "again").write_text("12345")
    (code / "again").rename(code / "replaced")
    write(code, "same size", "54321")
    (code / "removed").unlink()
    write(code, "emptied")
    (code / "folder now").unlink()
    (code / "folder now").mkdir()
    write(code, "new")
    (code / "link").unlink()
    (code / "link").symlink_to("new")
    assert before.changed() == ["emptied", "folder now", "link", "removed", "same size"]


def test_output_that_only_grows_is_no_change(code: Path) -> None:
    for name in ("log.txt", "empty.out", "rewritten.txt", "added.py", "binary"):
        write(code, name, "" if name == "empty.out" else "12345")
    noted = CodeState(code, code / "none")
    write(code, "binary", "12345 more before it was read")
    noted.read()
    for _ in range(2):
        for name in ("log.txt", "empty.out", "added.py", "binary"):
            with (code / name).open("a") as file:
                file.write("more")
        write(code, "rewritten.txt", "6789 and more")
        assert noted.changed() == ["added.py", "rewritten.txt"]


def test_a_change_between_noting_and_reading_is_seen(code: Path) -> None:
    write(code, "removed")
    before = state(code)
    (code / "train.py").write_text("other")
    (code / "removed").unlink()
    assert before.read() != state(code).read()
    assert before.changed() == ["removed", "train.py"]


def test_only_what_looks_changed_is_read_again(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_state(code)
    read = []
    real = code_state._hash_of
    monkeypatch.setattr(code_state, "_hash_of", lambda path: read.append(path.name) or real(path))
    assert before.changed() == []
    assert read == []
    os.utime(code / "train.py", (5, 5))
    assert before.changed() == before.changed() == []
    assert read == ["train.py"]


def test_reading_ends_when_nobody_waits(code: Path) -> None:
    assert CodeState(code, code / "none", lambda: True).changed() == []


def test_the_warning_names_the_first_few() -> None:
    warning = change_warning(Path("/code"), ["a.py", "b.py", "odd\n", "d.py", "e.py"])
    assert "Files in /code changed" in warning
    assert "a.py, b.py, 'odd\\n' and 2 more." in warning
    assert "more" not in change_warning(Path("/code"), ["a.py"])


def test_odd_names_have_a_hash(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\xfe\n"
    os.close(os.open(odd, os.O_CREAT))
    before = read_state(tmp_path)
    assert len(before.read()) == 64
    Path(os.fsdecode(odd)).unlink()
    assert change_warning(tmp_path, before.changed()).isprintable()


def test_a_socket_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    empty = state(tmp_path).read()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        assert state(tmp_path).read() == empty
