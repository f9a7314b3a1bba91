"""Names of jobs without capitals: Azure's library makes small letters of them, so that two could be one."""

from __future__ import annotations

import re

_TO_WRITE = re.compile(r"[A-Z-]")
_WRITTEN = re.compile(r"-(.)")


def to_azure(name: str) -> str:
    """Returns what a job is called in Azure ML: "-b" stands for a capital B there, "--" for "-"."""
    return _TO_WRITE.sub(lambda found: f"-{found[0].lower()}", name)


def from_azure(name: str) -> str:
    """Returns the name that `to_azure` made that of."""
    return _WRITTEN.sub(lambda found: found[1].upper(), name)
