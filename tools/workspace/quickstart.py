"""Installs the packages into .venv and runs the digits example."""

from __future__ import annotations

import argparse
import socket
import subprocess
from collections.abc import Sequence

from workspace.environments import ROOT, prepare_packages
from workspace.node import build_page

EXAMPLE = ROOT / "examples" / "digits" / "search.py"
PORT = 8080


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(prog="tools/quickstart", description=__doc__)
    parser.add_argument("--install-only", action="store_true", help="do not run the example")
    options = parser.parse_args(arguments)
    python = prepare_packages()
    build_page()
    if options.install_only:
        return 0
    port = usable_port(PORT)
    if port != PORT:
        print(f"port {PORT} is taken, so the example gets a free one")
    print(f"running {EXAMPLE.relative_to(ROOT)}")
    return subprocess.run([str(python), str(EXAMPLE), str(port)]).returncode


def usable_port(wanted: int) -> int:
    """Returns the wanted port of this machine if it is free, else 0, which stands for any that is."""
    try:
        with socket.create_server(("127.0.0.1", wanted)):
            return wanted
    except OSError:
        return 0
