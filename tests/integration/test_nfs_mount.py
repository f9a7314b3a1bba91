"""An NFS server's export is mounted for real: a machine with a kernel of its own does it, User-Mode Linux."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

WORLD = Path(__file__).parent / "nfs"
POINT = "/mnt/here it is"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the machine tells, by what it tells of."""
    folder = tmp_path_factory.mktemp("nfs")
    own = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    done = subprocess.run(
        [*own, "/bin/bash", str(WORLD / "world.sh"), str(folder), sys.executable, str(WORLD / "client.py")],
        env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=200,
    )
    if not (folder / "code").exists():
        pytest.fail(f"the machine did not start:\n{done.stdout}{done.stderr}")
    assert (folder / "code").read_text() == "0\n", (folder / "errors").read_text()
    lines = map(json.loads, (folder / "said").read_text().splitlines())
    return {line.pop("what"): {**line, "exports": folder / "exports"} for line in lines}


def test_an_export_is_mounted_here_and_there_and_unmounted_at_the_end(said) -> None:
    point = POINT.replace(" ", r"\040")
    assert said["open"]["mounts"] == [f"10.98.0.1:/open {point} nfs4", "10.98.0.1:/open /mnt/there nfs4"]
    assert said["open"]["directory"] == "/mnt/there/nni/exp1" and said["open"]["is_shared"]
    assert said["in use"]["mounted"], "another experiment used it"
    assert said["closed"]["mounts"] == []


def test_files_written_here_are_read_there_and_lie_on_the_server(said) -> None:
    assert said["files"]["seen"] and said["files"]["spool"] == "one\ntwo\n"
    folder = said["files"]["exports"] / "open" / "nni" / "exp1"
    assert (folder / "trials" / "t1" / "weights").stat().st_size == 3_000_000
    assert (folder / "spool").read_text() == "one\ntwo\n"
    assert folder.stat().st_mode & 0o077 == 0
    assert not list((folder / ".probe").glob("*")), "what was written to try it is removed"


def test_what_the_server_does_not_export_is_told_with_its_own_words(said) -> None:
    assert said["/nothing"]["error"].startswith(f"mount of 10.98.0.1:/nothing on {POINT} failed: mount.nfs: ")
    assert "reason given by server: No such file or directory (exit code 32)" in said["/nothing"]["error"]
    assert said["/nothing"]["error"].endswith("; the server exports no such folder")
    assert said["/nothing"]["mounts"] == []


def test_a_server_that_squashes_root_is_named_and_unmounted_again(said) -> None:
    """Row 187 of the field reports."""
    assert "cannot be written: Permission denied" in said["/squashed"]["error"]
    assert "an NFS server that squashes root (root_squash, the default)" in said["/squashed"]["error"]
    assert said["/squashed"]["mounts"] == []
