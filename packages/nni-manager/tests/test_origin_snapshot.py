"""The copy of the code."""

# ruff: noqa: PTH115, PTH117, PTH118, PTH120
from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.code_folder.links import link_text_inside
from nni_manager.origin import snapshot
from nni_manager.origin.snapshot import SnapshotError, take_snapshot


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    write(folder, "train.py", "first")
    write(folder, "lib/model.py", "class Model: pass")
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "experiment").mkdir()
    return tmp_path / "experiment" / "code"


def write(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def take(code: Path, copy: Path) -> None:
    take_snapshot(code, code.parent / "experiments", copy)


def held(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_copy(code: Path, copy: Path) -> None:
    (code / "empty").mkdir()
    write(code, "run.sh", "true").chmod(0o750)
    os.utime(code / "run.sh", ns=(5, 7))
    write(code, "__pycache__/train.pyc")
    write(code, "data/big")
    write(code, ".nniignore", "/data\n")
    write(code, "odd \n'\u00e9")
    take(code, copy)
    expected = {"train.py", "lib", "lib/model.py", "empty", "run.sh", ".nniignore", "odd \n'\u00e9"}
    assert held(copy) == expected
    assert (copy / "lib" / "model.py").read_text() == "class Model: pass"
    assert stat.S_IMODE(copy.stat().st_mode) == stat.S_IMODE((copy / "lib").stat().st_mode) == 0o700
    assert stat.S_IMODE((copy / "run.sh").stat().st_mode) == 0o750
    assert (copy / "run.sh").stat().st_mtime_ns == 7
    assert [path.name for path in copy.parent.iterdir()] == ["code"]


def test_links(code: Path, copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    outside = code.parent / "outside"
    write(outside, "weights/a.bin", "a")
    (outside / "weights" / "more").symlink_to("a.bin")
    (outside / "weights" / "nothing").symlink_to("/nowhere")
    write(outside, "weights/.git/HEAD")
    write(outside, "venv/pyvenv.cfg")
    links = {
        "file": "train.py",
        "folder": "lib",
        "lib/up": "../train.py",
        "lib/absolute": str(code / "train.py"),
        "itself": ".",
        "around": "../code/lib/model.py",
        "dangling": "not there",
        "left out": "data/x",
        "out": "../outside/weights",
        "out file": str(outside / "weights" / "a.bin"),
        "out dangling": "/nowhere",
        "out environment": "../outside/venv",
    }
    write(code, "data/x")
    write(code, ".nniignore", "data/")
    for name, text in links.items():
        (code / name).symlink_to(text)
    take(code, copy)
    kept = {path: os.readlink(copy / path) for path in links if (copy / path).is_symlink()}
    assert kept == {
        "file": "train.py",
        "folder": "lib",
        "lib/up": "../train.py",
        "lib/absolute": "../train.py",
        "itself": ".",
        "around": "lib/model.py",
        "dangling": "not there",
        "left out": "data/x",
        "out dangling": "/nowhere",
        "out environment": str(outside / "venv"),
    }
    assert held(copy / "out") == {"a.bin", "more", "nothing"}
    assert (copy / "out" / "more").read_text() == (copy / "out file").read_text() == "a"
    assert (copy / "out" / "nothing").is_symlink()
    listed = [line for line in caplog.messages if "replaced by a copy" in line]
    assert sorted(line.split(": ")[-1].split(" -> ")[0] for line in listed) == [
        "'out dangling'",
        "'out environment'",
        "'out file'",
        "'out'",
    ]
    assert next(line for line in caplog.messages if ".nniignore leaves out" in line).endswith("'left out'")


def test_an_environment_is_linked_to(code: Path, copy: Path) -> None:
    write(code, ".venv/pyvenv.cfg")
    write(code, ".venv/bin/python")
    take(code, copy)
    assert os.readlink(copy / ".venv") == str(code / ".venv")


def test_what_is_no_file_is_left_out_and_logged(
    code: Path, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(code / "pipe")
    take(code, copy)
    assert "pipe" not in held(copy)
    assert "not a file, left out: 'pipe'" in caplog.text


@pytest.mark.parametrize("target", ["..", "/", "../loop"])
def test_a_link_to_a_folder_that_holds_itself_is_refused(code: Path, copy: Path, target: str) -> None:
    loop = code.parent / "loop"
    loop.mkdir()
    (loop / "again").symlink_to(".")
    (code / "link").symlink_to(target)
    with pytest.raises(SnapshotError, match=r"the link \S+/code/link\S* leads to a folder that holds itself"):
        take(code, copy)
    assert list(copy.parent.iterdir()) == []


def test_too_much_is_refused(code: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MOST_FILES", 1)
    with pytest.raises(SnapshotError, match=r"holds more than 1 files or 1024 MiB; name in \.nniignore"):
        take(code, copy)
    monkeypatch.undo()
    monkeypatch.setattr(snapshot, "MOST_BYTES", 20)
    with pytest.raises(SnapshotError, match=r"more than 10000 files or"):
        take(code, copy)
    assert list(copy.parent.iterdir()) == []


def test_what_cannot_be_read_is_named_in_one_error(
    code: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def refusing(path, mode="r", *arguments, **options):
        if mode == "rb" and path.suffix == ".py":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(SnapshotError, match=r"train\.py.*model\.py.*\.nniignore"):
        take(code, copy)
    assert list(copy.parent.iterdir()) == []


def test_a_copy_that_cannot_be_written_is_told(code: Path, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="cannot be copied to"):
        take(code, tmp_path / "not there" / "code")


parts = st.sampled_from([".", "..", "a", "b", "code"])


@given(
    st.lists(parts, min_size=1, max_size=6), st.booleans(), st.sampled_from(["link", "a/link", "a/b/link"])
)
def test_a_kept_link_leads_to_the_same_place_in_the_copy(texts, absolute, path) -> None:
    text = ("/home/code/" if absolute else "") + "/".join(texts)
    kept = link_text_inside("/home/code", path, text)
    parent = os.path.dirname(path)
    target = os.path.normpath(os.path.join("/home/code", parent, text))
    is_inside = target == "/home/code" or target.startswith("/home/code/")
    assert (kept is not None) == is_inside
    if kept is not None:
        in_copy = os.path.normpath(os.path.join("/other/place", parent, kept))
        assert os.path.relpath(in_copy, "/other/place") == os.path.relpath(target, "/home/code")
        assert not os.path.isabs(kept)
