"""Runs long commands while the terminal shows one line of what they are doing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from workspace.launch import ToolError


def run_quietly(title: str, command: Sequence[str], folder: Path) -> None:
    """Runs a command; shows its newest line on a terminal, and all its output only if it fails.

    Args:
        title: What is being done, for the reader.
        command: The program and its arguments.
        folder: The working directory.

    Raises:
        ToolError: The command failed.
    """
    started = time.monotonic()
    on_terminal = sys.stdout.isatty()
    print(f"{title} ...", end="" if on_terminal else "\n", flush=True)
    lines = []
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if on_terminal:
                width = shutil.get_terminal_size().columns - 1
                print(f"\r\033[K{f'{title} ... {line.strip()}'[:width]}", end="", flush=True)
    if on_terminal:
        print("\r\033[K", end="")
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise ToolError(f"{title} failed (exit code {process.returncode}):\n{''.join(lines)}")
    print(f"{title}: done in {seconds:.1f} s")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows as text, with columns as wide as their widest cell and the first aligned left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index in (0, len(row) - 1) else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
