"""Runs an experiment for a long time while its processes are killed, and checks that nothing was lost."""

from __future__ import annotations

import argparse
import os
import subprocess
import uuid
from collections.abc import Sequence

from workspace.benchmark import MARK
from workspace.environments import ROOT, prepare_packages


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--concurrency", type=int, default=4, help="how many trials at a time (4)")
    parser.add_argument("--kill-every", type=float, default=2.0, help="seconds from kill to kill (2)")
    options = parser.parse_args(arguments)
    python = str(prepare_packages())
    words = [str(options.minutes), str(options.concurrency), str(options.kill_every)]
    # The script itself has the mark too: a process that it has just forked looks like it for a moment.
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools"), MARK: uuid.uuid4().hex}
    return subprocess.run([python, "-m", "workspace.soak.story", *words], env=environment).returncode
