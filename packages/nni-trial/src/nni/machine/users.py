"""Whose processes use a GPU: this experiment's or others'."""

from __future__ import annotations

import os
from typing import Dict, Iterable

from nni import processes

_MAX_ANCESTORS = 1000


def is_gone(pid: int) -> bool:
    """Returns whether a process has ended, or cannot be seen."""
    return processes.start_time(pid) is None


def count_others(pids: Iterable[int], experiment_id: str) -> int:
    """Returns how many processes are not an experiment's.

    Its own carry its id in their environment, or descend from one that does or from its courier: a program
    that changes how it is listed (setproctitle) overwrites its environment.

    Args:
        pids: The processes.
        experiment_id: The experiment; "" for none, then all are others'.
    """
    wanted = set(pids)
    if not wanted or not experiment_id:
        return len(wanted)
    tags = [[os.fsencode(f"NNI_EXP_ID={experiment_id}")]]
    others = {pid for pid in wanted if not processes.carries(pid, tags)}
    if not others:
        return 0
    parents = {process.pid: process.parent for process in processes.all_processes()}
    return sum(not _has_ancestor(pid, parents, experiment_id) for pid in others)


def _has_ancestor(pid: int, parents: Dict[int, int], experiment_id: str) -> bool:
    tags = [[os.fsencode(f"NNI_EXP_ID={experiment_id}")]]
    for _ in range(_MAX_ANCESTORS):
        pid = parents.get(pid, 0)
        if pid <= 1:
            return False
        if processes.carries(pid, tags) or _is_courier(pid, experiment_id):
            return True
    return False


def _is_courier(pid: int, experiment_id: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return b"nni.courier" in words and os.fsencode(f"--experiment-id={experiment_id}") in words
