"""Runs every check of the workspace: format, lint, types, import arrows, protocol, tests."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workspace.environments import (
    DISTRIBUTIONS,
    PROTOCOL_VENV,
    ROOT,
    VENV,
    interpreter,
    prepare,
    prepare_development,
)
from workspace.node import build_page, install_node_packages, page_command
from workspace.progress import run_quietly
from workspace.steps import Runner
from workspace.system_packages import install_system_packages
from workspace.tags import extract, newest_tag
from workspace.tests_run import run_tests

SOURCES = (
    *(folder if folder == "proto" else f"{folder}/src" for folder in DISTRIBUTIONS),
    "packages/nni-manager/build_page.py",
    "packages/nni-manager/hatch_build.py",
    "tools/workspace",
    *(f"tools/{path.name}" for path in sorted((ROOT / "tools").glob("*.py"))),
)
"""What mypy checks."""


def prepare_environments() -> None:
    """Makes the environments of development and of the old generator, and the page."""
    prepare_development()
    prepare(PROTOCOL_VENV, "protocol", ["--group", "protocol"])
    build_page()
    compile_packages()


def compile_packages() -> None:
    """Compiles our packages once, where the environment keeps each of a thousand processes from doing so."""
    folders = [folder if folder == "proto" else f"{folder}/src" for folder in DISTRIBUTIONS]
    compile_all = [str(interpreter(VENV)), "-m", "compileall", "-q", *folders]
    run_quietly("compiling the packages", compile_all, ROOT)


def check_statically(steps: Runner) -> None:
    """Runs all checks that do not execute the packages."""
    python = str(interpreter(VENV))
    steps.command("ruff format", [python, "-m", "ruff", "format", "--check", "."])
    steps.command("ruff check", [python, "-m", "ruff", "check", "."])
    steps.command("mypy", [python, "-m", "mypy", *SOURCES])
    steps.command("import arrows", [str(VENV / "bin" / "lint-imports"), "--no-cache", "--no-logo"])
    generator = str(interpreter(PROTOCOL_VENV))
    steps.command("protos in step", [generator, "tools/generate_protos.py", "--check"])
    steps.command("page format and lint", page_command("--run", "lint"))
    steps.command("page types", page_command("--run", "types"))
    steps.command("page types in step", [python, "tools/generate_web_types.py", "--check"])
    steps.command("page tests", page_command("--run", "test"))
    for page in ("config_docs", "nnictl_docs", "algorithm_table"):
        steps.command(f"{page} in step", [python, f"tools/generate_{page}.py", "--check"])


def check_protocol(steps: Runner) -> None:
    """Checks the .proto files for style, and for changes that break what the newest tag promised."""
    buf = str(VENV / "bin" / "buf")
    steps.command("buf lint", [buf, "lint", "proto"])
    tag = newest_tag()
    if tag is None:
        print("\nno tag yet that buf could compare with")
        return
    with tempfile.TemporaryDirectory() as folder:
        if steps.action(f"protocol of {tag}", lambda: extract(tag, Path(folder), "proto")):
            steps.command("buf breaking", [buf, "breaking", "proto", "--against", f"{folder}/proto"])


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument("--all", action="store_true", help="run the slow tests too")
    parser.add_argument("pytest_arguments", nargs="*", metavar="-- ARGUMENT", help="arguments for pytest")
    options = parser.parse_args(arguments)
    steps = Runner(ROOT)
    if not steps.action("environments", prepare_environments):
        return steps.finish()
    check_statically(steps)
    check_protocol(steps)
    steps.action("system packages", install_system_packages)
    steps.action("node packages", install_node_packages)
    unsteady = run_tests(steps, options.all, options.pytest_arguments)
    summary = steps.summary_of_pytest()
    code = steps.finish()
    for test in unsteady:
        print(f"failed beside others and passed alone, to be mended: {test}")
    print(summary)
    return code
