"""The benchmark of following jobs works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_it_measures_everything() -> None:
    command = [sys.executable, str(ROOT / "tools" / "benchmark_jobs.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for what in ("requests per trial of 0.2 s, a job for each trial", "processor, 4 jobs", "median"):
        assert what in done.stdout
