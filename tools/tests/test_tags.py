from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from workspace import tags
from workspace.launch import ToolError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (folder / "proto").mkdir(parents=True)
    (folder / "proto" / "a.proto").write_text("old")
    identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    monkeypatch.setattr(tags, "ROOT", folder)
    return folder


def test_there_may_be_no_tag(repository: Path) -> None:
    assert tags.newest_tag() is None


def test_a_tag_is_found_and_read_as_it_was(repository: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "tag", "v1"], cwd=repository, check=True)
    (repository / "proto" / "a.proto").write_text("new")
    assert tags.newest_tag() == "v1"
    tags.extract("v1", tmp_path, "proto")
    assert (tmp_path / "proto" / "a.proto").read_text() == "old"


def test_a_path_that_the_tag_lacks_is_an_error(repository: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "tag", "v1"], cwd=repository, check=True)
    with pytest.raises(ToolError, match="git archive v1"):
        tags.extract("v1", tmp_path, "missing")
