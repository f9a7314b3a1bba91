"""A code folder as it is packed for other machines."""

# Names that are no text need the functions of os.
# ruff: noqa: PTH102, PTH103, PTH112, PTH114, PTH115, PTH118, PTH120, PTH123, PTH208, PTH211
from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nni import unpack
from nni_manager.code_folder.contents import listed
from nni_manager.training.shipping import archive as archive_module
from nni_manager.training.shipping.code import CodeArchive, CodeFolderError, pack_code
from nni_manager.training.shipping.sdk import pack_sdk
from nni_manager.training.shipping.sizes import biggest, size_text


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    write(folder, "train.py", b"first")
    write(folder, "lib/model.py", b"class Model: pass")
    return folder


def write(folder: Path, name: str, content: bytes = b"") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def pack(code: Path, **options) -> CodeArchive:
    return pack_code(code, code.parent / "packed", experiments_directory=code.parent / "none", **options)


def unpacked(packed: CodeArchive) -> Path:
    target = packed.path.parent / "unpacked"
    unpack.unpack(str(packed.path), str(target), packed.sha256, keep=True)
    return target


def held(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_is_packed(code: Path) -> None:
    write(code, "run.sh", b"true").chmod(0o740)
    (code / "empty").mkdir()
    for name in (".git/HEAD", "__pycache__/train.pyc", "data/big", "runs/e1/db/experiment.sqlite"):
        write(code, name)
    write(code, ".nniignore", b"/data\n")
    packed = pack(code)
    there = unpacked(packed)
    assert held(there) == {"train.py", "lib", "lib/model.py", "run.sh", "empty", ".nniignore", "runs"}
    assert (there / "lib" / "model.py").read_bytes() == b"class Model: pass"
    assert os.access(there / "run.sh", os.X_OK) and not (there / "train.py").stat().st_mode & 0o100
    assert (packed.file_count, packed.byte_count) == (4, 5 + 17 + 4 + 6)
    assert packed.packed_byte_count == packed.path.stat().st_size
    assert packed.path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(packed.path.parent) == [f"code-{packed.sha256}.tar.gz", "unpacked"]


def test_the_same_code_is_the_same_archive(code: Path, tmp_path: Path) -> None:
    (code / "link").symlink_to("train.py")
    first = pack(code)
    again = tmp_path / "elsewhere" / "project"
    (again / "lib").mkdir(parents=True)
    (again / "link").symlink_to("train.py")
    write(again, "train.py", b"first").chmod(0o600)
    write(again, "lib/model.py", b"class Model: pass")
    os.utime(again / "train.py", (1, 2))
    second = pack(again)
    assert second.sha256 == first.sha256 and second.path.read_bytes() == first.path.read_bytes()
    (again / "train.py").write_bytes(b"other")
    assert pack(again).sha256 != first.sha256


def test_links(code: Path, caplog: pytest.LogCaptureFixture) -> None:
    outside = code.parent / "outside"
    write(outside, "weights/a.bin", b"a")
    (outside / "weights" / "more").symlink_to("a.bin")
    write(outside, "venv/pyvenv.cfg")
    write(code, "data/x")
    write(code, ".nniignore", b"data/\n")
    links = {
        "inside": "lib/model.py",
        "loop": ".",
        "absolute": str(code / "lib"),
        "left out": "data/x",
        "out": "../outside/weights",
        "out file": str(outside / "weights" / "a.bin"),
        "dangling": "/nowhere",
        "environment": "../outside/venv",
    }
    for name, text in links.items():
        (code / name).symlink_to(text)
    packed = pack(code)
    there = unpacked(packed)
    assert {name: os.readlink(there / name) for name in links if (there / name).is_symlink()} == {
        "inside": "lib/model.py",
        "loop": ".",
        "absolute": "lib",
        "left out": "data/x",
        "dangling": "/nowhere",
    }
    assert (there / "out" / "more").read_bytes() == (there / "out file").read_bytes() == b"a"
    expected = sorted(
        f"{name!a} -> {links[name]!a}" for name in ("out", "out file", "dangling", "environment")
    )
    assert sorted(packed.outside_links) == expected
    assert sorted(packed.links) == ["absolute", "inside", "left out", "loop"]
    assert packed.left_out == ("environment",)
    for line in expected:
        assert f"a link out of the code folder is sent as a copy of what it points to: {line}" in caplog.text
    assert "a link to what is not sent: 'left out'" in caplog.text
    assert "works on its machine alone, not sent: 'environment'" in caplog.text


def test_links_out_are_refused_if_so_set_each_by_name(code: Path) -> None:
    (code / "one").symlink_to("/etc/hostname")
    (code / "lib" / "two").symlink_to("../../elsewhere")
    (code / "inside").symlink_to("train.py")
    with pytest.raises(CodeFolderError) as refused:
        pack(code, follows_outside_links=False)
    for text in (
        f"{str(code / 'one')!r} leads out of the folder, to '/etc/hostname'",
        "lib/two",
        ".nniignore",
    ):
        assert text in str(refused.value)
    assert "inside" not in str(refused.value)
    write(code, ".nniignore", b"one\ntwo\n")
    assert pack(code, follows_outside_links=False).outside_links == ()


def test_a_link_to_data_elsewhere_is_left_out_as_the_data_would_be(code: Path) -> None:
    elsewhere = code.parent / "elsewhere"
    for name in ("big", "deep/x.bin", "deep/y.py"):
        write(elsewhere, name)
    (code / "data").symlink_to(elsewhere)
    (code / "more").symlink_to(elsewhere)
    write(code, ".nniignore", b"data/\nmore/big\n*.bin\n")
    packed = pack(code)
    assert held(unpacked(packed) / "more") == {"deep", "deep/y.py"}
    assert not (unpacked(packed) / "data").exists()
    assert packed.outside_links == (f"'more' -> {str(elsewhere)!r}",)


@pytest.mark.parametrize("target", ["..", "/", "../loop"])
def test_a_link_to_a_folder_that_holds_itself_is_named(code: Path, target: str) -> None:
    loop = code.parent / "loop"
    loop.mkdir()
    (loop / "again").symlink_to(".")
    (code / "link").symlink_to(target)
    with pytest.raises(
        CodeFolderError, match=r"the link '\S+/code/link\S* leads to a folder that holds itself"
    ):
        pack(code)
    assert not (code.parent / "packed").exists()


def test_what_is_no_file_is_left_out(code: Path, caplog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(code)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        packed = pack(code)
    assert sorted(packed.left_out) == ["pipe", "socket"]
    assert held(unpacked(packed)) == {"train.py", "lib", "lib/model.py"}
    assert "not a file, not sent: 'pipe'" in caplog.text and "not a file, not sent: 'socket'" in caplog.text


def test_all_that_cannot_be_read_is_named_in_one_error(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(code, "good.txt")
    opened, scanned = archive_module._open, os.scandir

    def refusing(path):
        if path.suffix == ".py":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    def refusing_folder(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scanned(path)

    monkeypatch.setattr(archive_module, "_open", refusing)
    with pytest.raises(CodeFolderError, match=r"train\.py': Permission denied") as refused:
        pack(code)
    assert "lib/model.py" in str(refused.value) and ".nniignore" in str(refused.value)
    assert os.listdir(code.parent / "packed") == []
    (code / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refusing_folder)
    with pytest.raises(CodeFolderError, match=r"cannot read '\S+/closed': Permission denied"):
        pack(code)


def test_a_file_that_changes_meanwhile_is_named(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = archive_module._open

    def shortened(path):
        file = opened(path)
        if path.name == "train.py":
            monkeypatch.setattr(os, "fstat", longer)
        return file

    real = os.fstat

    def longer(descriptor: int):
        monkeypatch.setattr(os, "fstat", real)
        return os.stat_result((0o100644, 0, 0, 1, 0, 0, 10_000, 0, 0, 0))

    monkeypatch.setattr(archive_module, "_open", shortened)
    with pytest.raises(CodeFolderError, match=r"train\.py' became shorter while it was read"):
        pack(code)
    assert os.listdir(code.parent / "packed") == []


def test_data_beside_the_code(code: Path) -> None:
    """Field report 184: 10 GB beside the code."""
    for place, size in (("data/set/images.bin", 10 << 30), ("logs/a.log", 3 << 20), ("small.bin", 2 << 20)):
        with write(code, place).open("wb") as file:
            file.truncate(size)
    with pytest.raises(CodeFolderError) as refused:
        pack(code)
    message = str(refused.value)
    assert "holds 10 GB in 5 files" in message and "allowed are 300 MB (max_code_size)" in message
    assert "'data/set/images.bin' (10 GB), 'logs/a.log' (3 MB), 'small.bin' (2 MB)" in message
    assert f"{str(code / '.nniignore')!r}, a line each as in .gitignore" in message
    write(code, ".nniignore", b"data/\n")
    assert pack(code).byte_count < 6 << 20
    with pytest.raises(CodeFolderError, match="allowed are 4 MB"):
        pack(code, most_bytes=4 << 20)


def test_an_archive_that_cannot_be_written_is_told(code: Path) -> None:
    write(code.parent, "packed")
    with pytest.raises(CodeFolderError, match="cannot be packed"):
        pack(code)


def test_a_code_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CodeFolderError, match=r"cannot read '\S+/code': No such file"):
        pack(tmp_path / "code")


def test_an_empty_code_folder(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    packed = pack(tmp_path / "code")
    assert packed.file_count == 0 and held(unpacked(packed)) == set()


any_name = st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"/", b"").replace(b"\0", b""))
odd_names = st.one_of(
    any_name, st.sampled_from([b"\n", b" ", b"-rf", b"a\\b", b"'", b"~", b"\xff\xfe", b"x" * 255])
)
names = odd_names.filter(lambda name: name not in (b"", b".", b"..", b".git", b".nniignore", b"__pycache__"))
places = st.lists(names, min_size=1, max_size=4).map(b"/".join)
link_texts = st.lists(st.one_of(names, st.sampled_from([b"..", b"."])), min_size=1, max_size=4).map(b"/".join)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.dictionaries(places, st.binary(max_size=600), max_size=6),
    links=st.dictionaries(names, link_texts, max_size=3),
)
@example(
    files={b"/".join([b"deep"] * 400): b"1", b"a" * 255 + b"/" + b"b" * 255: b"2"},
    links={b"l" * 255: b"deep/" * 60},
)
def test_any_names_and_links_arrive(
    tmp_path_factory, files: dict[bytes, bytes], links: dict[bytes, bytes]
) -> None:
    root = tmp_path_factory.mktemp("any")
    code = os.fsencode(root / "code")
    os.mkdir(code)
    for place, content in files.items():
        if any(other.startswith(place + b"/") for other in files):
            continue
        path = os.path.join(code, place)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    for name, text in links.items():
        if not os.path.lexists(os.path.join(code, name)):
            os.symlink(text, os.path.join(code, name))
    try:
        packed = pack(root / "code")
    except CodeFolderError as error:
        assert "leads to a folder that holds itself" in str(error)
        assert any(b".." in text for text in links.values())
        return
    there = os.fsencode(unpacked(packed))
    assert content_of(there) == content_of(code)
    assert pack(unpacked(packed)).sha256 == packed.sha256 or packed.outside_links


def content_of(root: bytes) -> dict[bytes, object]:
    found: dict[bytes, object] = {}
    for parent, folders, file_names in os.walk(root):
        for name in (*folders, *file_names):
            path = os.path.join(parent, name)
            if os.path.islink(path):
                found[os.path.relpath(path, root)] = os.readlink(path)
            elif os.path.isdir(path):
                found[os.path.relpath(path, root)] = None
            else:
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = file.read()
    return found


def test_the_sdk(tmp_path: Path) -> None:
    packed = pack_sdk(tmp_path)
    assert pack_sdk(tmp_path / "again").sha256 == packed.sha256
    assert packed.packed_byte_count < 200_000
    with tarfile.open(packed.path) as tar:
        names = tar.getnames()
    assert {"nni", "nni/__init__.py", "nni/courier/__main__.py", "nni/runner.py"} <= set(names)
    assert all(name.endswith(".py") or "." not in name for name in names)
    assert not any("__pycache__" in name for name in names)


def test_the_largest_things_in_a_folder() -> None:
    sizes = {"a/b/c/1": 50, "a/b/c/2": 50, "a/x": 1, "top": 30, "d/1": 5, "d/2": 5}
    assert biggest(sizes) == [("a/b/c/", 100), ("top", 30), ("d/", 10)]
    assert len(biggest({str(number): number for number in range(20)})) == 5
    assert biggest({}) == []


def test_sizes_as_text() -> None:
    sizes = [0, 1023, 1024, 1536, 300 << 20, 10 << 30, (10 << 30) + (50 << 20), 2 << 50]
    texts = ["0 bytes", "1023 bytes", "1 KB", "1.5 KB", "300 MB", "10 GB", "10 GB", "2048.0 TB"]
    assert [size_text(size) for size in sizes] == texts


def test_a_long_list_is_cut() -> None:
    assert listed(["a", "b"]) == "a; b"
    assert listed([str(number) for number in range(7)]) == "0; 1; 2; 3; 4; and 2 more"
