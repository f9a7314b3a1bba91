"""Asks the manager's package about algorithms, in a process of its own: users' modules are imported there."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

_MODULE = "nni_manager.algorithms.checking"


def ask(question: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to a question; `nni_manager.algorithms.checking` says which there are.

    Raises:
        RuntimeError: There is no answer; the text says why.
    """
    done = subprocess.run(
        [sys.executable, "-m", _MODULE],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return answer
    last = (done.stderr.splitlines() or [f"it ended with exit code {done.returncode}"])[-1]
    if "nni_manager" in last and "ModuleNotFoundError" in last:
        raise RuntimeError(f"This needs the package nni-manager: {sys.executable} -m pip install nni-manager")
    raise RuntimeError(f"The algorithms could not be looked at: {last}")
