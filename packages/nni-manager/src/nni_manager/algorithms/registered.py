"""Checks of registered algorithms. What users wrote is imported in another process, never in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from nni_config.registered_algorithms import AlgoMeta

_SECONDS = 300.0
"""Importing what algorithms use may take long where it is large and the disk is slow."""


def argument_problems(meta: AlgoMeta, class_args: Mapping[str, Any] | None) -> list[str]:
    """Returns what the validator of a registered algorithm says of the arguments for it, if it has one.

    Args:
        meta: The algorithm.
        class_args: The user's arguments; those it was registered with are added.
    """
    if meta.validator_class_name is None:
        return []
    arguments = {**(meta.class_args or {}), **(class_args or {})}
    return _answer(json.dumps({"validate": meta.dump(), "kind": meta.algo_type, "arguments": arguments}))


@lru_cache(maxsize=64)
def _asked(request: str) -> tuple[str, ...]:
    program = [sys.executable, "-m", "nni_manager.algorithms.checking"]
    try:
        done = subprocess.run(program, input=request, capture_output=True, text=True, timeout=_SECONDS)
        answer = json.loads(done.stdout)["problems"]
    except subprocess.TimeoutExpired:
        return (f"checking the arguments took longer than {_SECONDS:.0f} s",)
    except (ValueError, LookupError, TypeError):
        last = (done.stderr.splitlines() or ["it said nothing"])[-1]
        return (f"the check of the arguments ended with exit code {done.returncode}: {last}",)
    return tuple(answer)


def _answer(request: str) -> list[str]:
    # A configuration is checked again and again: once for each change of a running experiment, for one.
    return list(_asked(request))
