"""Tools that hang, fail, print junk, or leave something behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni import processes
from nni.machine import tools
from nni.machine.tools import Answer, Deadline, ask, clean, find_tool

MakeTool = Callable[[str], str]


@pytest.fixture
def tool(tmp_path: Path) -> MakeTool:
    """Makes a tool of a shell script."""

    def make(script: str) -> str:
        path = tmp_path / "smi"
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return make


def answer_of(path: str, seconds: float = 60.0) -> Answer:
    return ask([[path]], Deadline(seconds))[0]


def test_output_is_what_a_tool_prints_on_standard_output(tool: MakeTool) -> None:
    assert answer_of(tool("echo a; echo warning >&2; echo b")) == Answer("a\nb\n")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo no driver; echo at all >&2; exit 9", " fails with exit code 9: no driver at all"),
        ("exit 3", " fails with exit code 3"),
        ("kill -SEGV $$", " is killed by signal 11"),
        ("printf 'x%.0s' {1..1000}; exit 1", " fails with exit code 1: " + "x" * 300 + "..."),
    ],
)
def test_a_failure_is_told_with_what_it_said(tool: MakeTool, script: str, problem: str) -> None:
    path = tool(script)
    assert answer_of(path).problem == path + problem


def test_what_cannot_be_run(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF junk")
    broken.chmod(0o755)
    assert answer_of(str(broken)).problem == f"{broken} cannot be run: Exec format error"
    assert (
        answer_of(str(tmp_path / "gone")).problem
        == f"{tmp_path}/gone cannot be run: No such file or directory"
    )


@pytest.mark.parametrize(
    "script", ["sleep 1000 & echo $! >pid; wait", "exec >&- 2>&-; echo $$ >pid; sleep 1000"]
)
def test_one_that_hangs_is_ended_with_what_it_started(
    tool: MakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tool(script)
    answer = answer_of(path, 3.0)
    assert answer == Answer("", f"{path} does not answer within 3 s", hung=True)
    pid = int((tmp_path / "pid").read_text())
    while processes.start_time(pid) is not None:  # it was sent SIGKILL
        time.sleep(0.01)


def test_nothing_is_asked_when_no_time_is_left() -> None:
    assert answer_of("/no/tool", 0) == Answer("", "no time was left to ask /no/tool", hung=True)


def test_one_that_ignores_signals(tool: MakeTool) -> None:
    assert answer_of(tool("trap '' TERM INT HUP; while :; do sleep 1; done"), 0.5).hung


def test_one_that_leaves_a_process_behind_is_not_waited_for(tool: MakeTool, tmp_path: Path) -> None:
    begin = time.monotonic()
    answer = answer_of(tool(f"echo yes; sleep 1000 & echo $! >{tmp_path}/pid"))
    assert answer == Answer("yes\n")
    assert time.monotonic() - begin < 30
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_one_that_prints_without_end(tool: MakeTool) -> None:
    path = tool("yes")
    assert answer_of(path) == Answer("", f"{path} prints more than 4 MiB")


def test_tools_run_side_by_side_and_one_that_hangs_takes_nothing_from_another(tool: MakeTool) -> None:
    path = tool('[ "$1" = hang ] && sleep 1000; echo "$1"')
    hanging, quick, missing = ask([[path, "hang"], [path, "quick"], ["/no/tool"]], Deadline(3.0))
    assert hanging.hung
    assert quick == Answer("quick\n")
    assert missing.problem.startswith("/no/tool cannot be run")


def test_tools_do_not_read_and_do_not_get_our_python(tool: MakeTool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/sdk")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert answer_of(tool('cat; echo "$PYTHONPATH-$LC_ALL"')).output == "-C\n"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b(", "red plain("),
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xef\xbb\xbfa", "a"),
        ("a\nb".encode("utf-16"), "a\nb"),
        (b"a\x00b\x08\x0cc\td", "abc\td"),
        (b"\xff\xfea", "\ufffd"),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_output_is_cleaned(output: bytes, text: str) -> None:
    assert clean(output) == text


@given(st.binary())
def test_any_output_is_text(output: bytes) -> None:
    assert not any(letter < " " and letter not in "\n\t" for letter in clean(output))


def test_where_tools_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 160: the tool is not on the PATH of a shell that is no login shell."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        folder.mkdir()
        (folder / "smi").write_text("#!/bin/sh\n")
        (folder / "smi").chmod(0o755)
    (tmp_path / "c" / "smi").unlink()
    (tmp_path / "c" / "smi").symlink_to(tmp_path / "a" / "smi")
    monkeypatch.setenv("PATH", "/nowhere")
    places = [str(folder) for folder in folders]
    assert find_tool("smi", places) == [f"{tmp_path}/a/smi", f"{tmp_path}/b/smi"]
    monkeypatch.setenv("PATH", str(tmp_path / "b"))
    assert find_tool("smi", places) == [f"{tmp_path}/b/smi", f"{tmp_path}/a/smi"]
    (tmp_path / "b" / "smi").chmod(0o644)
    assert find_tool("smi", places) == [f"{tmp_path}/a/smi"]
    assert find_tool("other", places) == []
    assert "/usr/local/nvidia/bin" in tools.PLACES
