from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from workspace.environments import ROOT
from workspace.remote_benchmark.shipping import make_code


@pytest.mark.slow
def test_the_quick_benchmark_measures_all() -> None:
    command = [sys.executable, str(ROOT / "tools" / "benchmark_remote.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "trials on one host",
        "`ssh host true`",
        "trials of 16 looping scripts on one host",
        "processor time of the manager for a trial",
        "5 MB in 250 files",
        "rsync -az",
        "cut off for 5 s",
    ):
        assert words in done.stdout
    (connections,) = [line for line in done.stdout.splitlines() if line.startswith("SSH connections to each")]
    assert connections.endswith("1, 1, 1")


def test_code_is_as_large_as_asked_for_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_code(tmp_path / name, 2, 100)
    files = [path for path in (tmp_path / "first").rglob("*") if path.is_file()]
    assert len(files) == 100
    assert sum(path.stat().st_size for path in files) == 2_000_000
    for path in files:
        assert path.read_bytes() == (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes()
