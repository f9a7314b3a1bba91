"""Reads the repository's releases."""

from __future__ import annotations

import subprocess
from pathlib import Path

from workspace.environments import ROOT
from workspace.launch import ToolError


def newest_tag() -> str | None:
    """Returns the newest tag that this commit builds on, or None while there is none."""
    found = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0"], cwd=ROOT, capture_output=True, text=True
    )
    return found.stdout.strip() or None


def extract(tag: str, folder: Path, *paths: str) -> None:
    """Writes files of a tag below a folder.

    Args:
        tag: The tag's name.
        folder: An existing folder.
        paths: Which files and folders, relative to the root of the repository.

    Raises:
        ToolError: The tag has no such path.
    """
    archive = subprocess.run(["git", "archive", tag, "--", *paths], cwd=ROOT, capture_output=True)
    if archive.returncode != 0:
        raise ToolError(f"git archive {tag}: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
