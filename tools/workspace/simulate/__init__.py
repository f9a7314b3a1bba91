"""Runs an experiment without processes and without waiting, and measures what the manager needs for it.

Engine, runner, record and tuner are the real ones; the trials and the clock are not.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence

from workspace.environments import ROOT, prepare_packages


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/simulate", description=__doc__)
    parser.add_argument("--trials", type=int, default=50_000, help="how many trials (50000)")
    parser.add_argument("--concurrency", type=int, default=100, help="how many at a time (100)")
    options = parser.parse_args(arguments)
    words = [str(options.trials), str(options.concurrency)]
    return subprocess.run(command(str(prepare_packages()), words), env=environment()).returncode


def command(python: str, words: Sequence[str]) -> list[str]:
    """Returns what runs it with an interpreter that has the packages."""
    return [python, "-m", "workspace.simulate.story", *words]


def environment() -> dict[str, str]:
    """Returns the environment for it."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
