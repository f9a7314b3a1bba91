"""Writes the folder of an experiment that never ran: many trials with everything that a page has to bear."""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence

from workspace.environments import ROOT, prepare_packages


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    options = parser().parse_args(arguments)
    words = [f"--{name}={value}" for name, value in vars(options).items() if name != "folder"]
    command = [str(prepare_packages()), "-m", "workspace.made_experiment.making", *words, options.folder]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT / "tools")}).returncode


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    made = argparse.ArgumentParser(prog="tools/make_experiment", description=__doc__)
    made.add_argument("--trials", type=int, default=20_000, help="how many trials (20000)")
    made.add_argument("--intermediates", type=int, default=25, help="intermediate results of each (25)")
    made.add_argument("--id", default="made", help="the experiment's id (made)")
    made.add_argument("--seed", type=int, default=0, help="another one makes other trials (0)")
    made.add_argument("--files", type=int, default=50, help="how many trials get logs and files (50)")
    made.add_argument("folder", help="the folder that the experiment's folder is made in")
    return made
