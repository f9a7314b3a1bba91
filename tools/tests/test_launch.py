from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from workspace import launch

TOOLS = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", ["quickstart", "test", "test_pythons", "benchmark", "workspace/launch.py"])
def test_an_old_python_can_read_what_says_that_it_is_too_old(name: str) -> None:
    ast.parse((TOOLS / name).read_text(), feature_version=(3, 6))


def _put_on_path(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_newest_python_that_starts_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _put_on_path(tmp_path, "python3.13", "exit 127")
    working = _put_on_path(tmp_path, "python3.12", "exit 0")
    _put_on_path(tmp_path, "python3.10", "exit 0")
    assert launch.newest_python() == str(working)


def test_without_a_new_python_the_answer_names_the_one_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 8, 18))
    with pytest.raises(SystemExit, match=r"Python 3\.10 or newer is needed, and .* is Python 3\.8"):
        launch.run("workspace.quickstart")


def test_a_tool_that_cannot_go_on_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        @staticmethod
        def main(arguments: list[str]) -> int:
            raise launch.ToolError("no room")

    monkeypatch.setattr(launch.importlib, "import_module", lambda name: Module)
    monkeypatch.setattr(launch.sys.stdout, "reconfigure", lambda **_: None, raising=False)
    with pytest.raises(SystemExit, match=r"^error: no room$"):
        launch.run("anything")


@pytest.mark.parametrize("inherited", [signal.SIG_IGN, signal.SIG_DFL])
def test_ctrl_c_can_be_tested_in_the_background(tmp_path: Path, inherited: signal.Handlers) -> None:
    shown = "print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    (tmp_path / "shown.py").write_text(f"import signal\n\ndef main(arguments):\n    {shown}\n")
    finished = subprocess.run(
        [sys.executable, "-c", "from workspace.launch import run; run('shown')"],
        env={**os.environ, "PYTHONPATH": f"{TOOLS}{os.pathsep}{tmp_path}"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, inherited),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert finished.stdout == "False\n"
