"""Which commit a folder is at, as git tells it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from pathlib import Path

_SECONDS = 10.0
_LOG = logging.getLogger(__name__)


async def git_state(folder: Path) -> tuple[str, bool | None]:
    """Returns the commit that a folder's repository is at, and whether tracked files differ from it.

    The commit is "" and the other None where there is no git, no repository or no commit, and when git fails
    or takes longer than ten seconds; nothing of this is an error.

    Args:
        folder: A folder anywhere in the repository.
    """
    git = shutil.which("git")
    if git is None:
        return "", None
    try:
        process = await asyncio.create_subprocess_exec(
            git,
            "-c",
            "core.fsmonitor=false",  # else a program that the repository names would run
            "status",
            "--porcelain=v2",
            "--branch",
            "--untracked-files=no",
            cwd=folder,
            env=_environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        _LOG.info("the state of %s in git is not known: %s", folder, error)
        return "", None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    except asyncio.TimeoutError:
        _LOG.info("the state of %s in git is not known: git takes longer than %g s", folder, _SECONDS)
        return "", None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return _state_in(output.decode("utf-8", "replace")) if process.returncode == 0 else ("", None)


def _environment() -> dict[str, str]:
    """Returns an environment in which git looks at the folder alone, asks nobody and locks nothing."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _state_in(output: str) -> tuple[str, bool | None]:
    lines = output.splitlines()
    commits = [line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")]
    if not commits or commits[0] == "(initial)":
        return "", None
    return commits[0], any(not line.startswith("#") for line in lines)
