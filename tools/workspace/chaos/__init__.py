"""Runs a search while processes are killed and paused and the disk is full, and checks what is recorded."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Sequence

from workspace.benchmark import MARK
from workspace.chaos.options import parse
from workspace.environments import ROOT, prepare_packages


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parse(arguments, __doc__ or "")
    return subprocess.run(command(str(prepare_packages()), arguments), env=environment()).returncode


def command(python: str, arguments: Sequence[str]) -> list[str]:
    """Returns what runs the command line with an interpreter that has the packages."""
    return [python, "-m", "workspace.chaos.story", *arguments]


def environment() -> dict[str, str]:
    """Returns the environment for it."""
    # The script itself has the mark too: a process that it has just forked looks like it for a moment.
    return {**os.environ, "PYTHONPATH": str(ROOT / "tools"), MARK: uuid.uuid4().hex}
