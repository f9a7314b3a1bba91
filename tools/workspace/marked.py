"""The processes of a run, told from all others by a mark in the environment that they were started with."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from workspace.benchmark import MARK

_PAUSE = 0.05


class Marked(NamedTuple):
    """A process.

    Attributes:
        pid: Its id.
        kind: What it is, see `kind_of`.
        command: Its command line.
    """

    pid: int
    kind: str
    command: str


def marked_processes(mark: str) -> list[Marked]:
    """Returns the processes that run now and whose environment has the mark."""
    wanted = f"{MARK}={mark}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted not in (folder / "environ").read_bytes() + b"\0":
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            name = (folder / "comm").read_text(errors="replace").strip()
        except OSError:  # it has ended, or is somebody else's
            continue
        found.append(Marked(int(folder.name), kind_of(name, command), command.strip()))
    return found


def others(mark: str) -> list[Marked]:
    """Returns the same without the process that asks."""
    return [each for each in marked_processes(mark) if each.pid != os.getpid()]


def end(mark: str) -> None:
    """Kills all of them but the one that asks, and what they start meanwhile."""
    while found := others(mark):
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        time.sleep(_PAUSE)


def kind_of(name: str, command: str) -> str:
    """Returns what a process is: manager, view, tuner, courier, runner or trial, "" for anything else.

    Args:
        name: Its name; runners are forks of the courier, renamed.
        command: Its command line.
    """
    if name == "nni-runner":
        return "runner"
    if "-m nni.courier" in command:
        return "courier"
    if "-m nni_manager.tuning" in command:
        return "tuner"
    if "-m nni_manager" in command:
        return "view" if "--view" in command else "manager"
    return "trial" if "trial.py" in command else ""


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Waits until something is so, for some seconds at most; returns whether it came to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE)
    return True
