"""Installs the packages into .venv and runs the digits example."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence

from workspace.environments import EDITABLE, ROOT, VENV, interpreter, prepare

EXAMPLE = ROOT / "examples" / "digits" / "search.py"


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/quickstart", description=__doc__)
    parser.add_argument("--install-only", action="store_true", help="do not run the example")
    options = parser.parse_args(arguments)
    prepare(VENV, "quickstart", [*EDITABLE, "scikit-learn>=1.3"])
    if options.install_only:
        return 0
    print(f"running {EXAMPLE.relative_to(ROOT)}")
    return subprocess.run([str(interpreter(VENV)), str(EXAMPLE)]).returncode
