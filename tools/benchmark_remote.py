"""Measures trials on other machines: how many a second, how code gets there, what a cut costs.

    .venv/bin/python tools/benchmark_remote.py [--quick]

The hosts are namespaces of this machine, each with its own SSH server, so all of it shares the processors
here. Needs root.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from workspace.lab import LabError, Laboratory
from workspace.launch import ToolError
from workspace.progress import table


def main() -> int:
    """Runs the command line and returns its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    parser.add_argument(
        "--only", choices=("speed", "looping", "load", "shipping", "recovery"), action="append"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nni-benchmark-") as name:
        folder = Path(name)
        # The experiments of this process, and what SSH remembers, go there and not to the user's own.
        os.environ["HOME"] = name
        os.environ.pop("SSH_AUTH_SOCK", None)
        try:
            for title, rows in _measure(folder, options.quick, options.only):
                print(f"\n{title}\n{table(rows)}", flush=True)
        except (ToolError, LabError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


def _measure(
    folder: Path, quick: bool, only: list[str] | None
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    # Here, so that what they import reads the home folder that was set above.
    from workspace.remote_benchmark import load, looping, recovery, shipping, speed

    measures: dict[str, Callable[[Laboratory, Path], list[tuple[str, str]]]] = {
        "speed": lambda lab, where: speed(lab, where, 20 if quick else 200, 4),
        "looping": lambda lab, where: looping(lab, where, *((100, [16]) if quick else (2000, [4, 16]))),
        "load": lambda lab, where: load(lab, where, 24 if quick else 640, 12 if quick else 64),
        "shipping": lambda lab, where: shipping(lab, where, *((5, 250) if quick else (100, 5000))),
        "recovery": lambda lab, where: recovery(lab, where, 5 if quick else 60),
    }
    (folder / "lab").mkdir()
    with Laboratory(folder / "lab") as lab:
        for name, measure in measures.items():
            if only is None or name in only:
                where = folder / name
                where.mkdir()
                yield name, measure(lab, where)
                lab.put_in_order()


if __name__ == "__main__":
    raise SystemExit(main())
