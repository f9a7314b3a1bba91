"""Starts processes in Linux namespaces of their own, which end with the process that started them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8"}


class LabError(Exception):
    """The laboratory cannot be made or used; the text says why."""


@dataclass(frozen=True)
class Namespace:
    """The namespaces of one process.

    Attributes:
        pid: The process that is the first in them, as this process counts.
        unshare: The child that waits for it.
    """

    pid: int
    unshare: subprocess.Popen[str]

    def command(self, command: Sequence[str]) -> list[str]:
        """Returns what runs a command in these namespaces."""
        return ["nsenter", "--target", str(self.pid), "--all", "--", *command]

    def end(self) -> None:
        """Ends everything in it."""
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            self.unshare.kill()
        self.unshare.wait()
        if self.unshare.stdout is not None:
            self.unshare.stdout.close()


def start(command: Sequence[str], namespaces: Sequence[str], log: IO[str]) -> Namespace:
    """Starts a command as the first process of new namespaces, and waits until it prints `ready`.

    The kernel ends it, and with it everything in its process namespace, as soon as the calling thread ends,
    whatever ends it.

    Args:
        command: The program and its arguments.
        namespaces: What it gets of its own, as `unshare` spells it; process ids are always its own.
        log: Where its stderr goes.

    Raises:
        LabError: It ended.
    """
    unshare = ["unshare", "--pid", "--fork", "--kill-child", *namespaces, "--", *command]
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *unshare],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=_ENVIRONMENT,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != "ready\n":
        process.kill()
        process.wait()
        process.stdout.close()
        log.flush()
        raise LabError(f"{command[0]} did not start: {said}{Path(log.name).read_text().strip()}")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return Namespace(int(children[0]), process)


def run(command: Sequence[str], text: str = "") -> str:
    """Runs a program of the system and returns what it prints.

    Raises:
        LabError: It failed.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=_ENVIRONMENT)
    if done.returncode != 0:
        raise LabError(f"{' '.join(command)} failed (exit code {done.returncode}): {done.stderr.strip()}")
    return done.stdout
