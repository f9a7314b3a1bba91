"""Runs the tests with each supported Python that is found, each in an environment of its own."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from workspace.environments import EDITABLE, ROOT, interpreter, prepare
from workspace.launch import KNOWN, ToolError
from workspace.node import install_node_packages
from workspace.oldest import run_with_oldest
from workspace.steps import Runner
from workspace.system_packages import install_system_packages


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/test_pythons", description=__doc__)
    parser.add_argument("--all", action="store_true", help="run the slow tests too")
    parser.add_argument("--only", metavar="VERSION", action="append", help="as 3.12; may be repeated")
    parser.add_argument(
        "--oldest",
        action="store_true",
        help="run the algorithms' tests alone, with the oldest Python and packages that are allowed",
    )
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT", help="arguments for pytest")
    options = parser.parse_args(arguments)
    pythons = find_pythons()
    if options.only:
        pythons = {version: python for version, python in pythons.items() if version in options.only}
    if not pythons:
        wanted = ", ".join(options.only or KNOWN)
        raise ToolError(f"of {wanted} none was found on PATH or among pyenv's")
    steps = Runner(ROOT)
    if options.oldest:
        summaries = run_with_oldest(steps, next(iter(pythons.values())), options.pytest_arguments)
        code = steps.finish()
        print("\n".join(summaries))
        return code
    steps.action("system packages", install_system_packages)
    steps.action("node packages", install_node_packages)
    selection = [] if options.all else ["-m", "not slow"]
    summaries = []
    for version, python in pythons.items():
        venv = ROOT / f".venv-{version}"
        if not steps.action(
            f"environment {version}",
            lambda: prepare_environment(venv, python),  # noqa: B023
        ):
            continue
        command = [str(interpreter(venv)), "-m", "pytest", "-p", "workspace.no_skips", "-q", *selection]
        steps.command(
            f"pytest {version}", [*command, *options.pytest_arguments], {"PYTHONPATH": str(ROOT / "tools")}
        )
        summaries.append(f"Python {version}: {steps.summary_of_pytest()}")
    code = steps.finish()
    print("\n".join(summaries))
    return code


def prepare_environment(venv: Path, python: str) -> None:
    """Installs the packages and the tools of development for one Python."""
    prepare(venv, "development", [*EDITABLE, "--group", "dev"], python)


def find_pythons() -> dict[str, str]:
    """Returns the path of each supported Python by its version, as "3.12", the oldest first."""
    found: dict[str, str] = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in reversed(KNOWN):
        candidates = [shutil.which(name), *map(str, sorted(pyenv.glob(f"*/bin/{name}")))]
        working = [candidate for candidate in candidates if candidate and _starts(candidate)]
        if working:
            found[re.sub("^python", "", name)] = working[0]
    return found


def _starts(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True).returncode == 0
