"""Measures parameter importance in a process of its own: a request on stdin, the answer on stdout.

The libraries take seconds to load and memory that the manager is to be free of. Both are JSON, with Python's
NaN and Infinity: {"columns": [[name, cells], ...], "results": [...], "seed": ...} in; the fields of Measured
out, or {"missing": name} when a library is not installed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from nni_manager.analysis.interface import ParameterColumn


def main() -> int:
    """Answers one request and returns the exit code."""
    request = json.load(sys.stdin)
    try:
        from nni_manager.analysis.importance import measure
    except ModuleNotFoundError as error:
        json.dump({"missing": error.name}, sys.stdout)
        return 0
    columns = [ParameterColumn(name, cells) for name, cells in request["columns"]]
    json.dump(asdict(measure(columns, request["results"], request["seed"])), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
