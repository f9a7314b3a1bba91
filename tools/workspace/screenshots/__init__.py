"""Takes pictures of every page, dark and light, on a phone and on a wide screen; or the one in the README."""

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
    command += ["--readme"] if options.readme else [options.folder]
    return subprocess.run(command, env=environment).returncode


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    made = argparse.ArgumentParser(prog="tools/screenshots", description=__doc__)
    made.add_argument("--trials", type=int, default=400, help="how many trials the experiment has (400)")
    where = made.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--readme", action="store_true", help="take the picture in the README anew, and no other"
    )
    where.add_argument("folder", nargs="?", help="where the pictures go")
    return made
