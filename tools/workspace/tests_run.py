"""Runs pytest, and repeats by themselves the few tests that failed, perhaps of the load alone."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workspace.environments import ROOT, VENV, interpreter
from workspace.steps import Runner

MOST_REPEATED = 10
"""More failures than this are not repeated: something is broken."""


def run_tests(steps: Runner, everything: bool, arguments: Sequence[str]) -> list[str]:
    """Runs the tests, files and classes side by side; a skipped test fails them.

    Hundreds of these tests start real processes and wait for them, on a machine that is busy with others of
    their kind. A few that fail are run again, one after the other and with nothing beside them. Those that
    pass then are returned, to be shown and mended: they do not count as failed, nor as sound.

    Args:
        steps: Runs the commands.
        everything: Whether the slow tests are run too.
        arguments: Further arguments for pytest.

    Returns:
        The tests that failed at first and passed when they were repeated.
    """
    with tempfile.TemporaryDirectory() as cache:
        pytest = [str(interpreter(VENV)), "-m", "pytest", "-ra"]
        pytest += ["-p", "workspace.no_skips", "-p", "workspace.slow_first"]
        pytest += ["-o", f"cache_dir={cache}", *(["--color=yes"] if sys.stdout.isatty() else [])]
        pytest += [*([] if everything else ["-m", "not slow"]), *arguments]
        variables = {"PYTHONPATH": str(ROOT / "tools")}
        # Tests often wait for processes, so there is one more at work than there are processors.
        side_by_side = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadscope", "--durations=20"]
        # xdist would put files with few tests last, the longest among them.
        side_by_side.append("--no-loadscope-reorder")
        if steps.command("pytest", [*pytest, *side_by_side], variables):
            return []
        failed, output = _failed_tests(Path(cache)), steps.output
        if not 0 < len(failed) <= MOST_REPEATED:
            return []
        repeated = steps.command("pytest, failed ones", [*pytest, "--last-failed"], variables)
    steps.output = output
    if not repeated:
        return []
    steps.pardon("pytest", f"ok, {len(failed)} unsteady")
    return failed


def _failed_tests(cache: Path) -> list[str]:
    record = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(record.read_text())) if record.is_file() else []
