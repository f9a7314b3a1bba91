"""The examples of a tuner and of an assessor of one's own run as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(stage, name: str) -> str:
    """Runs an example's main.py on any port, and returns what it prints."""
    for source in (EXAMPLES / name).iterdir():
        if source.is_file():
            text = source.read_text().replace("experiment.run(8080)", "experiment.run(0)")
            stage.write(source.name, text)
    done = subprocess.run(
        [sys.executable, str(stage.folder / "main.py")],
        env=stage.environment,
        cwd=stage.home,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert stage.is_quiet(), stage.processes()
    return done.stdout


def test_the_tuner(stage):
    output = run(stage, "custom_tuner")
    assert "30/30 done" in output and "30 succeeded" in output
    assert re.search(r"^  objective +[\d.e-]+, the lowest final result is best", output, re.MULTILINE)


def test_the_assessor(stage):
    output = run(stage, "custom_assessor")
    counts = re.search(r"^  trials +12: (\d+) succeeded, (\d+) early stopped", output, re.MULTILINE)
    assert counts is not None and int(counts[1]) >= 1 and int(counts[2]) >= 1
