"""Does harm to a run, at moments that a seed decides: kills, pauses, a full disk."""

from __future__ import annotations

import heapq
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Protocol

from workspace.chaos.disk import SmallDisk
from workspace.marked import marked_processes

MANAGER_KILLED = "manager killed"
DISK_FILLED = "disk filled"

SECONDS_BETWEEN = {
    "tuner killed": 4.0,
    "courier killed": 4.0,
    "runner killed": 7.0,
    "trial killed": 2.5,
    "process paused": 2.0,
    DISK_FILLED: 8.0,
}
"""The mean number of seconds between two faults of a kind."""

_TICK = 0.03
_PAUSED_KINDS = ("manager", "manager", "tuner", "courier", "trial", "trial")
_LONGEST_PAUSE = 1.5
_LONGEST_FULL = 2.5
_LONGEST_LIFE = 2.0
_KILLED_AGAIN = 0.4
_SECONDS_TO_START = 1.5


class Harmed(Protocol):
    """The run that harm is done to.

    Attributes:
        lives: How many managers of it have come to serve.
    """

    lives: int

    def progress(self) -> float:
        """Returns how much of it is done, 0 to 1."""


class Faults(threading.Thread):
    """The thread that does harm.

    Attributes:
        counts: How many faults of each kind there were.
        log: Each fault: seconds since the start, kind, process.
    """

    def __init__(self, seed: int, mark: str, disk: SmallDisk, kills: int, harmed: Harmed) -> None:
        """Makes the thread, which does nothing yet.

        Args:
            seed: Decides what happens when.
            mark: Of the processes to harm.
            disk: Where the experiment lies.
            kills: How often to kill the manager at least, spread over the whole run.
            harmed: The run.
        """
        super().__init__(name="faults")
        self.counts: Counter[str] = Counter()
        self.log: list[tuple[float, str, int]] = []
        self._mark = mark
        self._disk = disk
        self._kills = kills
        self._harmed = harmed
        self._killed_life = 0
        self._chances = {kind: random.Random(f"{seed} {kind}") for kind in (*SECONDS_BETWEEN, MANAGER_KILLED)}
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        self._kill_is_due = False
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self._last: dict[str, float] = {}

    @property
    def has_killed_enough(self) -> bool:
        """Whether the manager was killed as often as was asked for."""
        return self.counts[MANAGER_KILLED] >= self._kills

    def excuses(self, failure: str, since: float) -> bool:
        """Whether something happened since a moment (monotonic) after which a manager may fail to start."""
        blamed = [kind for kind in ("tuner", "courier") if kind in failure]
        kinds = [MANAGER_KILLED, DISK_FILLED, *(f"{kind} killed" for kind in blamed)]
        return any(self._last.get(kind, 0.0) >= since for kind in kinds)

    def end(self) -> None:
        """Stops doing harm, and undoes what can be undone."""
        self._stopping.set()
        self.join()

    def run(self) -> None:
        """Does harm until `end`."""
        for kind in SECONDS_BETWEEN:
            self._plan(kind)
        while not self._stopping.wait(_TICK):
            if not self._kill_is_due and self._is_behind():
                self._kill_is_due = True
                self._wait_to_kill()
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
        self._disk.free()
        for process in marked_processes(self._mark):
            _send(process.pid, signal.SIGCONT)

    def _is_behind(self) -> bool:
        return self.counts[MANAGER_KILLED] < min(
            self._kills, int(self._harmed.progress() * (self._kills + 1))
        )

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), act))

    def _plan(self, kind: str) -> None:
        self._later(self._chances[kind].expovariate(1 / SECONDS_BETWEEN[kind]), lambda: self._happen(kind))

    def _happen(self, kind: str) -> None:
        self._plan(kind)
        what, _, how = kind.partition(" ")
        if how == "filled":
            self._fill()
        elif how == "paused":
            self._pause()
        else:
            self._kill(what, self._chances[kind])

    def _wait_to_kill(self) -> None:
        """Has the manager killed some time after it began to serve."""
        if self._harmed.lives > self._killed_life:
            self._later(self._chances[MANAGER_KILLED].uniform(0, _LONGEST_LIFE), self._kill_manager)
        else:
            self._later(_TICK, self._wait_to_kill)

    def _kill_manager(self) -> None:
        chance = self._chances[MANAGER_KILLED]
        self._killed_life = self._harmed.lives
        if not self._kill("manager", chance):
            self._later(_TICK, self._kill_manager)
            return
        self._kill_is_due = False
        if chance.random() < _KILLED_AGAIN:  # while the next one starts
            self._later(chance.uniform(0, _SECONDS_TO_START), lambda: self._kill("manager", chance))

    def _kill(self, kind: str, chance: random.Random) -> bool:
        found = self._pids(kind)
        pid = chance.choice(found) if found else 0
        if not pid or not _send(pid, signal.SIGKILL):
            return False
        self._note(f"{kind} killed", pid)
        return True

    def _pause(self) -> None:
        chance = self._chances["process paused"]
        kind, seconds = chance.choice(_PAUSED_KINDS), chance.uniform(0, _LONGEST_PAUSE)
        found = self._pids(kind)
        pid = chance.choice(found) if found else 0
        if pid and _send(pid, signal.SIGSTOP):
            self._note(f"{kind} paused", pid)
            self._later(seconds, lambda: self._go_on(pid))

    def _go_on(self, pid: int) -> None:
        _send(pid, signal.SIGCONT)

    def _fill(self) -> None:
        seconds = self._chances[DISK_FILLED].uniform(0, _LONGEST_FULL)
        self._note(DISK_FILLED, 0)
        self._keep_full(time.monotonic() + seconds)

    def _keep_full(self, until: float) -> None:
        self._last[DISK_FILLED] = time.monotonic()
        if time.monotonic() < until:
            self._disk.fill()
            self._later(_TICK, lambda: self._keep_full(until))
        else:
            self._disk.free()

    def _pids(self, kind: str) -> list[int]:
        return sorted(each.pid for each in marked_processes(self._mark) if each.kind == kind)

    def _note(self, kind: str, pid: int) -> None:
        self.counts[kind] += 1
        self._last[kind] = time.monotonic()
        self.log.append((round(time.monotonic() - self._began, 2), kind, pid))


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
