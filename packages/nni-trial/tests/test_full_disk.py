import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nni.full_disk import full_disk


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What is told of every disk."""
    told = SimpleNamespace(f_blocks=1000, f_bavail=1000, f_frsize=4096, f_files=1000, f_favail=1000)
    monkeypatch.setattr(os, "statvfs", lambda path: told)
    return told


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, None),
        ({"f_bavail": 0}, "is full (0 B free at"),
        ({"f_bavail": 2}, "is full (8192 B free at"),
        ({"f_favail": 0}, "has no room for another file (0 inodes free at"),
        ({"f_blocks": 0, "f_bavail": 0, "f_files": 0, "f_favail": 0}, None),
    ],
)
def test_what_is_full_is_named(
    disk: SimpleNamespace, tmp_path: Path, facts: dict[str, Any], words: str | None
) -> None:
    vars(disk).update(facts)
    found = full_disk([str(tmp_path / "missing"), str(tmp_path)])
    if words is None:
        assert found == ""
    else:
        assert found.startswith(f"the disk of {os.uname().nodename} ") and f"{words} {tmp_path})" in found
