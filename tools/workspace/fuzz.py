"""Runs the property tests with new examples again and again, until one fails or the time is over."""

from __future__ import annotations

import argparse
import secrets
import subprocess
import time
from collections.abc import Sequence

from workspace.environments import ROOT, VENV, interpreter, prepare_development

_NOTHING_SELECTED = 5
_SEEDS = 2**32


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT", help="arguments for pytest")
    options = parser.parse_args(arguments)
    prepare_development()
    command = [str(interpreter(VENV)), "-m", "pytest", "-q", "-x", "-m", "hypothesis", "--no-header"]
    deadline = time.monotonic() + 60 * options.minutes
    rounds = 0
    while rounds == 0 or time.monotonic() < deadline:
        seed = secrets.randbelow(_SEEDS)
        rounds += 1
        print(f"round {rounds}, --hypothesis-seed={seed}")
        done = subprocess.run(
            [*command, f"--hypothesis-seed={seed}", *options.pytest_arguments], cwd=ROOT, text=True
        )
        if done.returncode != 0:
            what = (
                "no test was selected" if done.returncode == _NOTHING_SELECTED else "a property does not hold"
            )
            print(f"{what}; round {rounds} had --hypothesis-seed={seed}")
            return done.returncode
    print(f"{rounds} rounds, every property held")
    return 0
