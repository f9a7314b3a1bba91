"""Which processes run on this machine: who descends from whom, and who carries a trial's id.

Linux is asked through /proc, other systems through `ps`, where environments cannot be seen.
"""

from __future__ import annotations

import functools
import os
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set

RUNNER_NAME = "nni-runner"
"""The name of the process above all those of a trial."""

_PROC = "/proc/self/stat"


class Process(NamedTuple):
    """A process that is not a zombie.

    Attributes:
        pid: Its id.
        parent: Its parent's id.
        group: The id of its process group.
    """

    pid: int
    parent: int
    group: int


def start_time(pid: int) -> Optional[str]:
    """Returns when a process started, in the system's own form, or None when there is no such process.

    A process that has ended and was not waited for yet counts as none.
    """
    if pid <= 0:
        return None
    if not os.path.exists(_PROC):
        return _ps(["-o", "lstart=", "-p", str(pid)]).strip() or None
    fields = _stat_fields(pid)
    return fields[19] if fields and fields[0] not in "ZX" else None


@functools.lru_cache(maxsize=None)
def boot_id() -> str:
    """Returns what names this boot of the machine, or "" where start times are absolute."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode().strip()
    except OSError:
        return ""


def all_pids() -> Set[int]:
    """Returns the ids of all processes, zombies included; none where there is no /proc."""
    try:
        return {int(name) for name in os.listdir("/proc") if name.isdigit()}
    except OSError:
        return set()


def all_processes() -> List[Process]:
    """Returns every process of this machine that we can see."""
    if not os.path.exists(_PROC):
        return _all_by_ps()
    found = []
    for pid in all_pids():
        fields = _stat_fields(pid)
        if fields and fields[0] not in "ZX":
            found.append(Process(pid, int(fields[1]), int(fields[2])))
    return found


def descendants(processes: Iterable[Process], roots: Iterable[int]) -> Set[int]:
    """Returns the ids of the processes below the given ones, themselves left out."""
    children: Dict[int, List[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    found: Set[int] = set()
    waiting = list(roots)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found


def has_ancestor(name: str) -> bool:
    """Returns whether a process above this one has a name, as far as that can be seen."""
    pid, seen = os.getppid(), 0
    while pid > 1 and seen < 1000:
        seen += 1
        try:
            with open(f"/proc/{pid}/comm", "rb", buffering=0) as file:
                if file.read() == name.encode() + b"\n":
                    return True
        except OSError:
            return False
        fields = _stat_fields(pid)
        if fields is None:
            return False
        pid = int(fields[1])
    return False


def carries(pid: int, tags: Iterable[Sequence[bytes]]) -> bool:
    """Returns whether a process was started with all `NAME=value` of one of these in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            environment = b"\0" + file.read() + b"\0"
    except OSError:
        return False
    return any(all(b"\0" + variable + b"\0" in environment for variable in tag) for tag in tags)


def variable(pid: int, name: str) -> str:
    """Returns a variable of the environment that a process was started with, "" if that cannot be seen."""
    start = b"\0" + name.encode() + b"="
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            _, found, rest = (b"\0" + file.read()).partition(start)
    except OSError:
        return ""
    return os.fsdecode(rest.partition(b"\0")[0]) if found else ""


def _stat_fields(pid: int) -> Optional[List[str]]:
    """Returns the fields of /proc/<pid>/stat from the state on (the name before may hold anything)."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].decode("ascii").split()
    except OSError:
        return None


def _all_by_ps() -> List[Process]:
    rows = [line.split() for line in _ps(["-A", "-o", "pid=,ppid=,pgid=,state="]).splitlines()]
    return [
        Process(int(row[0]), int(row[1]), int(row[2]))
        for row in rows
        if len(row) == 4 and not row[3].startswith("Z")
    ]


def _ps(arguments: List[str]) -> str:
    import subprocess  # not at the top: it brings threading, which makes every fork dearer

    return subprocess.run(
        ["ps", *arguments], stdout=subprocess.PIPE, check=False, universal_newlines=True
    ).stdout
