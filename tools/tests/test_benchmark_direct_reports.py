from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "benchmark_direct_reports.py"


@pytest.mark.slow
def test_it_prints_what_jobs_cost() -> None:
    command = [sys.executable, str(TOOL), "--jobs=3", "--pushes=7", "--idle-seconds=0.1"]
    output = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert output.returncode == 0, output.stderr
    assert [line.split("  ")[0] for line in output.stdout.splitlines()] == [
        "processor time to take in 3 jobs",
        "processor with 3 jobs that wait",
        "processor time of a call that tells events",
        "such a call, median and longest",
    ]
