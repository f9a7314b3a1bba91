"""Measures an experiment of trials that do nothing, beside NNI 3.0 if an interpreter with it is given."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence

from workspace.environments import ROOT, prepare_packages

MARK = "NNI_BENCHMARK_RUN"
"""The environment variable that marks a run's processes, whoever their parents are."""


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/benchmark", description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="how many trials (20)")
    parser.add_argument("--concurrency", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--nni", metavar="PYTHON", help="an interpreter that has NNI 3.0, to compare with")
    options = parser.parse_args(arguments)
    python = str(prepare_packages())
    interpreters = [python, options.nni] if options.nni else [python]
    command = [python, "-m", "workspace.benchmark.measure", str(options.trials), str(options.concurrency)]
    return subprocess.run(
        [*command, *interpreters], env={**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    ).returncode
