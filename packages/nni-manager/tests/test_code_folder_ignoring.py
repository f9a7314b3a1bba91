"""What `.nniignore` leaves out: what git would leave out with the same lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nni_manager.code_folder.code_files import Kind, code_paths
from nni_manager.code_folder.ignore_pattern import ignore_pattern


def write(folder: Path, name: str, content: bytes = b"") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def found(folder: Path) -> set[str]:
    def unreadable(error: OSError) -> None:
        raise error

    paths = code_paths(folder, folder.parent / "none", unreadable)
    files = {each.path for each in paths if each.kind in (Kind.FILE, Kind.LINK)}
    return {path for path in files if not path.endswith((".nniignore", ".gitignore"))}


def matches(line: str, path: str, *, is_folder: bool = False) -> bool:
    pattern = ignore_pattern(line)
    return pattern is not None and pattern.matches(path, is_folder)


@pytest.mark.parametrize(
    ("line", "hit", "missed"),
    [
        ("*.pt", ["a.pt", "a/b.pt", ".pt"], ["a.pth", "a.pt/b"]),
        ("/data", ["data"], ["a/data"]),
        ("a/b", ["a/b"], ["x/a/b", "a/b/c"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb"]),
        ("**/b", ["b", "a/b"], ["ab"]),
        ("a/**", ["a/b", "a/b/c"], ["a"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[!a]x", ["bx"], ["ax", "/x"]),
        ("[[:digit:]_]", ["7", "_"], ["a", ":"]),
        ("a[]]b", ["a]b"], ["ab"]),
        (r"[\]]", ["]"], ["\\"]),
        (r"\#a", ["#a"], ["a"]),
        (r"\!a", ["!a"], ["a"]),
        ("a b  ", ["a b"], ["a b  "]),
        ("a\\ ", ["a "], ["a"]),
        ("a\t", ["a\t"], ["a"]),
        ("?", ["\u00e9", "\udcff"], ["/", "ab"]),
        ("a\nb*", ["a\nb\nc"], ["a"]),
    ],
)
def test_a_line(line: str, hit: list[str], missed: list[str]) -> None:
    assert [path for path in [*hit, *missed] if matches(line, path)] == hit


def test_a_line_about_folders() -> None:
    assert matches("data/", "a/data", is_folder=True)
    assert not matches("data/", "a/data")


@pytest.mark.parametrize("line", ["", "#a", "   ", "# data/ "])
def test_a_line_that_says_nothing(line: str) -> None:
    assert ignore_pattern(line) is None


@pytest.mark.parametrize("line", ["!", "/", "!/", "a[b", "[", "a\\", "[[:letters:]]", "[a-\\"])
def test_a_line_that_can_match_nothing(line: str) -> None:
    with pytest.raises(ValueError, match=r"names nothing|ends too early|no class"):
        ignore_pattern(line)


def test_a_file_as_windows_writes_it(tmp_path: Path) -> None:
    write(tmp_path, ".nniignore", b"\xef\xbb\xbfdata/\r\n# all of\r\n*.pt\r\n\r\n!keep.pt\r\n")
    for name in ("data/x", "a.pt", "keep.pt", "train.py"):
        write(tmp_path, name)
    assert found(tmp_path) == {"keep.pt", "train.py"}


def test_what_a_deeper_file_takes_back(tmp_path: Path) -> None:
    for name in ("a.log", "runs/a.log", "runs/keep/a.log", "runs/keep/a.txt", "data/keep.csv", "sub/x.csv"):
        write(tmp_path, name)
    write(tmp_path, ".nniignore", b"*.log\ndata/\n")
    write(tmp_path, "runs/keep/.nniignore", b"!*.log\n/a.txt\n")
    write(tmp_path, "data/.nniignore", b"!keep.csv\n")  # nothing in a folder that is left out comes back
    write(tmp_path, "sub/.nniignore", b"/x.csv\n")
    assert found(tmp_path) == {"runs/keep/a.log"}


def test_a_line_in_another_encoding(tmp_path: Path) -> None:
    write(tmp_path, ".nniignore", b"caf\xe9*\n")
    write(tmp_path, "train.py")
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).touch()
    assert found(tmp_path) == {"train.py"}


@pytest.mark.parametrize("what", ["pipe", "folder", "unreadable"])
def test_a_file_that_cannot_be_read(
    tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "train.py")
    file = tmp_path / ".nniignore"
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    else:
        file.write_text("*")

        def refused(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "read_bytes", refused)
    assert found(tmp_path) == {"train.py"}
    assert f"{file} is not obeyed: " in caplog.text


# What is no character of ASCII is left out, since "?" is not one byte here, and "**" beside
# other characters: git takes "a/b**/c" for "a/b" and any folders, unlike its manual.
plain = ["a", "b", "c.py", " ", "!", "#", "\\ ", "\\#", "\\!", "\\a", "\\*"]
special = ["*", "?", "a*", "*.py", "[ab]", "[!a]", "[^b-c]", "[]a]", "[[:alpha:]]", "[z-a]", "["]
atoms = st.sampled_from([*plain, *special])
segments = st.one_of(st.just("**"), st.lists(atoms, min_size=1, max_size=2).map("".join))
lines = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(segments, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["", "", "/"]),
    st.sampled_from(["", "", " ", "\r", "\t"]),
)
files = st.lists(st.one_of(lines, st.sampled_from(["", "*", "!*/", "#a"])), min_size=1, max_size=5)
names = st.sampled_from(["a", "b", "ab", "c.py", "a b", "a ", "#a", "!a", "*", "]", "\\"])
places = st.lists(names, min_size=1, max_size=4).map("/".join)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    paths=st.sets(places, min_size=1, max_size=8),
    ignoring=st.dictionaries(st.one_of(st.just(""), places), files, min_size=1, max_size=3),
)
def test_git_leaves_out_the_same(tmp_path_factory, paths: set[str], ignoring: dict[str, list[str]]) -> None:
    folder = tmp_path_factory.mktemp("code")
    for path in sorted(paths):
        if not any(other.startswith(f"{path}/") for other in paths):
            write(folder, path)
    for place, text in ignoring.items():
        if (folder / place).is_dir():
            for name in (".nniignore", ".gitignore"):
                write(folder, f"{place}/{name}" if place else name, "\n".join(text).encode())
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (
        ["git", "init", "-q"],
        ["git", "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"],
    ):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    expected = {os.fsdecode(path) for path in done.stdout.split(b"\0") if path}
    assert found(folder) == {path for path in expected if not path.endswith("ignore")}
