"""Limits of this process that keep a manager from running."""

from __future__ import annotations

import sys

LEAST_OPEN_FILES = 64
"""A manager with a few trials has about 40 files open; with less gRPC and SQLite crash without a word."""


def open_files_problem() -> str | None:
    """Returns why no manager is started if too few files may be open, else None."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= LEAST_OPEN_FILES:
        return None
    needed = "" if hard == resource.RLIM_INFINITY or hard >= LEAST_OPEN_FILES else " (ask an administrator)"
    return (
        f"A process may have only {soft} files open here (ulimit -n); a manager needs {LEAST_OPEN_FILES}. "
        f"Raise the limit with: ulimit -n 1024{needed}"
    )
