"""The training service that examples/own_training_service brings keeps the contract, as its own tests say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2] / "examples" / "own_training_service" / "test_tiny_cluster.py"


@pytest.mark.parametrize(
    "which",
    [
        "test_cancel_lets_a_trial_save or test_release_holds",
        pytest.param("", marks=pytest.mark.slow, id="all"),
    ],
)
def test_the_example(which: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS), "-k", which]
    done = subprocess.run(
        [*command, "--basetemp", str(tmp_path / "base")],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert ("2 passed" if which else "34 passed") in done.stdout
