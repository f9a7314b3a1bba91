from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace.launch import ToolError
from workspace.system_packages import install_system_packages, missing_packages

Programs = Callable[[dict[str, str]], Path]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Makes a PATH of nothing but the programs given, and env; they note how they were called."""

    def make(scripts: dict[str, str]) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name, body in scripts.items():
            path = folder / name
            path.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/calls\n{body}\n')
            path.chmod(0o700)
        (folder / "env").symlink_to("/usr/bin/env")
        (folder / "touch").symlink_to("/usr/bin/touch")
        monkeypatch.setenv("PATH", str(folder))
        return tmp_path / "calls"

    return make


def test_nothing_is_done_where_all_is_there(programs: Programs) -> None:
    calls = programs({"apt-get": "exit 1", "weigh": ""})
    install_system_packages({"weigh": "scales", "/bin/sh": "dash"})
    assert not calls.exists()


def test_what_is_missing_is_installed(programs: Programs, tmp_path: Path) -> None:
    made = tmp_path / "made"
    calls = programs({"apt-get": f"case $* in *install*) touch {made};; esac"})
    install_system_packages({str(made): "scales", "/bin/sh": "dash"})
    assert "--no-install-recommends scales" in calls.read_text()
    assert "dash" not in calls.read_text()


def test_a_package_without_its_program_is_told(programs: Programs) -> None:
    programs({"apt-get": ""})
    with pytest.raises(ToolError, match="scales: installed, and its programs are still not found"):
        install_system_packages({"weigh": "scales"})


def test_what_apt_says_is_shown_when_it_fails(programs: Programs) -> None:
    programs({"apt-get": "echo E: no such package; exit 100"})
    with pytest.raises(ToolError, match=r"exit code 100.*\n.*E: no such package"):
        install_system_packages({"weigh": "scales"})


def test_without_apt_the_packages_are_named(programs: Programs) -> None:
    programs({})
    with pytest.raises(ToolError, match="please install scales: there is no apt-get"):
        install_system_packages({"weigh": "scales"})


@pytest.mark.parametrize(("sudo", "works"), [("exit 1", False), ('shift; "$@"', True)])
def test_who_is_not_root_needs_sudo_without_a_password(
    sudo: str, works: bool, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    made = tmp_path / "made"
    programs({"apt-get": f"touch {made}", "sudo": sudo, "true": ""})
    if works:
        install_system_packages({str(made): "scales"})
        assert made.exists()
    else:
        with pytest.raises(ToolError, match="please run `sudo apt-get install scales`"):
            install_system_packages({str(made): "scales"})


def test_each_missing_package_is_named_once() -> None:
    assert missing_packages({"/no/a": "b", "/no/c": "b", "/no/d": "a"}) == ["a", "b"]
