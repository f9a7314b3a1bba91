"""Measures the page on a made experiment: how soon it shows, what is sent, how it scrolls and filters."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence

from workspace.environments import ROOT, VENV, interpreter, prepare_development


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    options = parser().parse_args(arguments)
    prepare_development()
    given = {name.replace("_", "-"): value for name, value in vars(options).items() if value is not None}
    words = [f"--{name}={value}" for name, value in given.items()]
    command = [str(interpreter(VENV)), "-m", "workspace.page_benchmark.measure", *words]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "tools")}).returncode


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    made = argparse.ArgumentParser(prog="tools/benchmark_page", description=__doc__)
    made.add_argument("--trials", type=int, default=20_000, help="how many trials (20000)")
    made.add_argument("--intermediates", type=int, default=25, help="intermediate results of each (25)")
    made.add_argument(
        "--nni-python",
        metavar="PYTHON",
        help="an interpreter that has NNI 3.0, to show the same trials by its page",
    )
    return made
