"""Takes pictures of every page, dark and light, on a phone and on a wide screen."""

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
    command = [str(interpreter(VENV)), "-m", "workspace.screenshots.taking", f"--trials={options.trials}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    return subprocess.run([*command, options.folder], env=environment).returncode


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    made = argparse.ArgumentParser(prog="tools/screenshots", description=__doc__)
    made.add_argument("--trials", type=int, default=400, help="how many trials the experiment has (400)")
    made.add_argument("folder", help="where the pictures go")
    return made
