from __future__ import annotations

import importlib.util
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest
from workspace import environments
from workspace.launch import ToolError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run."""
    found: list[list[str]] = []

    def record(title: str, command: Sequence[str], folder: Path) -> None:
        found.append(list(command))

    monkeypatch.setattr(environments, "run_quietly", record)
    return found


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False)
    return folder


def test_a_new_environment_is_made_and_filled(tmp_path: Path, commands: list[list[str]]) -> None:
    folder = tmp_path / "venv"
    folder.mkdir()  # so that the stamp can be written although nothing really makes the environment
    assert environments.prepare(folder, "packages", ["one"], "/some/python")
    assert commands[0] == ["/some/python", "-m", "venv", "--clear", str(folder)]
    assert commands[-1][-1] == "one"


def test_what_is_installed_is_not_installed_again(existing: Path, commands: list[list[str]]) -> None:
    assert environments.prepare(existing, "packages", ["one"])
    commands.clear()
    assert not environments.prepare(existing, "packages", ["one"])
    assert commands == []


def test_other_requirements_and_other_purposes_are_installed(
    existing: Path, commands: list[list[str]]
) -> None:
    environments.prepare(existing, "packages", ["one"])
    assert environments.prepare(existing, "packages", ["two"])
    assert environments.prepare(existing, "development", ["two"])


def test_a_changed_project_file_is_installed_again(
    existing: Path, commands: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    for folder in (".", *environments.DISTRIBUTIONS):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "pyproject.toml").write_text("")
    monkeypatch.setattr(environments, "ROOT", root)
    environments.prepare(existing, "packages", ["one"])
    assert not environments.prepare(existing, "packages", ["one"])
    (root / "packages" / "nni-client" / "pyproject.toml").write_text("[project]")
    assert environments.prepare(existing, "packages", ["one"])


def test_a_failed_installation_is_not_remembered(existing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(title: str, command: Sequence[str], folder: Path) -> None:
        raise ToolError("pip failed")

    monkeypatch.setattr(environments, "run_quietly", fail)
    for _ in range(2):
        with pytest.raises(ToolError, match="pip failed"):
            environments.prepare(existing, "packages", ["one"])


def test_a_missing_venv_module_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    with pytest.raises(ToolError, match="apt-get install python3-venv"):
        environments.prepare(tmp_path / "venv", "packages", [])


@pytest.mark.parametrize(
    ("script", "text"),
    [("echo 3 9", "has Python 3.9, and 3.10 or newer is needed"), ("exit 1", "does not start")],
)
def test_an_environment_of_no_use_is_named(script: str, text: str, tmp_path: Path) -> None:
    python = environments.interpreter(tmp_path)
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    with pytest.raises(ToolError, match=text) as caught:
        environments.prepare(tmp_path, "packages", [], sys.executable)
    assert str(tmp_path) in str(caught.value)
