"""Waits for a trial's processes and stops them: a first signal, after a grace period SIGTERM, SIGKILL."""

from __future__ import annotations

import os
import select
import signal
import time
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, List, Optional, Set, Tuple

from nni import processes
from nni.trial_folder import TrialFolder, read_json

UNKILLABLE_SECONDS = 10.0
"""How long SIGKILL is repeated before a trial counts as ended though a process of it is left."""

_POLL_SECONDS = 0.05
_KILL_AGAIN_SECONDS = 0.2
_SHORT_SECONDS = 60.0
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2)

_Step = Tuple[int, float]
"""A signal, and the seconds until the next one."""


@dataclass(frozen=True)
class Members:
    """How the processes of a trial are told from all others.

    Attributes:
        runner: The calling process: what descends from it is the trial's.
        command: The process of the command, which leads a group; 0 if it is known to be gone.
        tags: The `NAME=value` that every process of the trial was started with; each tag is enough.
        reaps_orphans: Whether every process that loses its parent becomes the runner's child.
        older: Processes that ran before the command.
        since: When the command started, by the monotonic clock.
    """

    runner: int
    command: int
    tags: List[List[bytes]]
    reaps_orphans: bool = False
    older: FrozenSet[int] = frozenset()
    since: float = 0.0

    def living(self) -> Set[int]:
        """Returns the ids of the processes that run now, the runner left out."""
        everything = processes.all_processes()
        found = processes.descendants(everything, {self.runner, self.command} - {0})
        for process in everything:
            if process.pid in found:
                continue
            in_group = self.command and self.command in (process.pid, process.group)
            if in_group or self._is_tagged(process.pid):
                found.add(process.pid)
        return found - {self.runner}

    def living_without_children(self) -> Set[int]:
        """Returns the same for a runner that has no child left, which is cheap if it would have them all.

        Then only a process that another one, such as a container service, started with our environment can
        be left. Ids are given out again after some time, so an old one is passed over in short trials only.
        """
        if not self.reaps_orphans:
            return self.living()
        young = time.monotonic() - self.since < _SHORT_SECONDS
        pids = processes.all_pids() - (self.older if young else frozenset())
        return {pid for pid in pids if pid != self.runner and self._is_tagged(pid)}

    def _is_tagged(self, pid: int) -> bool:
        return processes.carries(pid, self.tags)


class Supervisor:
    """Waits for the command and for what it leaves behind. One in a process: it owns the signal handlers.

    Attributes:
        reaps_orphans: Whether every process of the trial that loses its parent becomes our child.
    """

    def __init__(self, folder: TrialFolder, reaps_orphans: bool) -> None:
        """Installs the handlers, and lets signals in."""
        self.reaps_orphans = reaps_orphans
        self._folder = folder
        self._cancel_requested = False
        self._wakeup, writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_cancel)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    def run(self, members: Members, grace_seconds: float, lost: bool = False) -> Dict[str, Any]:
        """Waits until the command and every other process of the trial have gone, and stops them if asked to.

        Args:
            members: The processes.
            grace_seconds: How long what the command left behind has after SIGTERM.
            lost: The command is not our child. Everything is stopped at once.

        Returns:
            What belongs into exit.json: exit_code or signal, ended_at, and the survivors if there are any.
        """
        status: Optional[int] = None
        outcome: Optional[Dict[str, Any]] = None
        plan: List[_Step] = []
        due = give_up = float("inf")
        while True:
            status, childless = _reap(members.command, status)
            now = time.monotonic()
            if outcome is None and (lost or status is not None):
                outcome = {**_describe(status), "ended_at": time.time()}
                if not plan:
                    plan, due = _last_steps(grace_seconds), now
            elif outcome is None and self._cancel_requested and not plan:
                first, grace_seconds = self._cancel_order(grace_seconds)
                plan, due = [(first, grace_seconds), *_last_steps(grace_seconds)], now
            if outcome is not None:
                living = members.living_without_children() if childless else members.living()
                if not living or now >= give_up:
                    return {**outcome, "survivors": sorted(living)} if living else outcome
            if now >= due:
                number, patience = plan.pop(0) if len(plan) > 1 else plan[0]
                _send(number, members.living())
                due = now + patience
                if number == signal.SIGKILL:
                    give_up = min(give_up, now + UNKILLABLE_SECONDS)
            self._wait(min(due - now, float("inf") if outcome is None else _POLL_SECONDS))

    def _on_cancel(self, *_: Any) -> None:
        self._cancel_requested = True

    def _cancel_order(self, grace_seconds: float) -> Tuple[int, float]:
        try:
            order = read_json(self._folder.cancel_file) or {}
        except (OSError, ValueError):
            order = {}
        return int(order.get("signal", signal.SIGINT)), float(order.get("grace_seconds", grace_seconds))

    def _wait(self, seconds: float) -> None:
        select.select([self._wakeup], [], [], None if seconds == float("inf") else max(seconds, 0.0))
        try:
            os.read(self._wakeup, 4096)
        except BlockingIOError:
            return


def _last_steps(grace_seconds: float) -> List[_Step]:
    return [(signal.SIGTERM, grace_seconds), (signal.SIGKILL, _KILL_AGAIN_SECONDS)]


def _send(number: int, pids: Set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
            if number != signal.SIGKILL:
                os.kill(pid, signal.SIGCONT)  # a stopped process would never see it
        except (ProcessLookupError, PermissionError):  # gone, or another user's: it shows as a survivor
            continue


def _reap(command: int, status: Optional[int]) -> Tuple[Optional[int], bool]:
    """Waits for every child that has ended.

    Returns:
        The command's wait status once there is one, and whether no child is left.
    """
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, True
        if pid == 0:
            return status, False
        if pid == command:
            status = ended


def _describe(status: Optional[int]) -> Dict[str, Any]:
    if status is None:
        return {}
    return (
        {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"exit_code": os.WEXITSTATUS(status)}
    )
