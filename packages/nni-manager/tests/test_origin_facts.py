"""Git, packages and seed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from nni_config import AlgorithmConfig
from nni_config.algorithm import CustomAlgorithmConfig
from nni_manager.origin import git_state as git_module
from nni_manager.origin.git_state import git_state
from nni_manager.origin.package_versions import package_versions
from nni_manager.origin.seed import tuner_seed


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "repository"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "train.py").write_text("first")
    git(folder, "init", "-q")
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "message")
    return git(folder, "rev-parse", "HEAD")


async def test_the_commit_and_whether_files_differ_from_it(repository: Path) -> None:
    assert await git_state(repository / "code") == ("", None)
    head = commit(repository)
    assert await git_state(repository / "code") == (head, False)
    (repository / "untracked").touch()
    assert await git_state(repository / "code") == (head, False)
    (repository / "code" / "train.py").write_text("second")
    assert await git_state(repository / "code") == (head, True)
    git(repository, "checkout", "-q", "--detach")
    assert await git_state(repository / "code") == (head, True)


async def test_the_repository_is_that_of_the_folder_and_stays_as_it_is(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = commit(repository)
    git(repository, "config", "core.fsmonitor", "touch ran; false")
    os.utime(repository / "code" / "train.py", (5, 5))
    index = (repository / ".git" / "index").read_bytes()
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    assert await git_state(repository / "code") == (head, False)
    assert (repository / ".git" / "index").read_bytes() == index
    assert not (repository / "ran").exists() and not (repository / "code" / "ran").exists()


async def test_no_repository_no_git_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await git_state(tmp_path) == ("", None)
    assert await git_state(tmp_path / "gone") == ("", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await git_state(tmp_path) == ("", None)


async def test_a_git_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 1000\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(git_module, "_SECONDS", 0.1)
    assert await git_state(tmp_path) == ("", None)
    monkeypatch.setattr(git_module, "_SECONDS", 1000)
    task = asyncio.create_task(git_state(tmp_path))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_package_versions() -> None:
    versions = package_versions()
    assert list(versions) == sorted(versions)
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    for name in ("nni-proto", "nni-config", "nni-trial", "nni-manager", "numpy", "hypothesis"):
        assert versions[name] == version(name)


def test_a_damaged_installation_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("broken-1.dist-info", None), ("Some_Package-2.0.dist-info", "Name: Some_Package\n")):
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / "METADATA").write_text(f"Metadata-Version: 2.1\n{text}Version: 2.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    versions = package_versions()
    assert versions["some-package"] == "2.0"
    assert "broken" not in versions and "numpy" in versions


def test_seeds() -> None:
    assert tuner_seed(None) is None
    for given, seed in ((3, 3), (0, 0), (2**70, None)):
        assert tuner_seed(AlgorithmConfig(name="tpe", class_args={"seed": given})) == seed
    for arguments in (None, {}, {"seed": None}):
        drawn = {tuner_seed(AlgorithmConfig(name="Random", class_args=arguments)) for _ in range(3)}
        assert len(drawn) == 3 and all(seed is not None and 0 <= seed < 2**31 for seed in drawn)
    for arguments, seed in ((None, None), ({"seed": 4}, 4), ({"seed": True}, None), ({"seed": "x"}, None)):
        assert tuner_seed(CustomAlgorithmConfig(class_name="a.B", class_args=arguments)) == seed
