"""Watches the processes of one experiment: their memory (PSS) and their processor time."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping

import psutil

from workspace.benchmark import MARK

_SHORTEST_PAUSE = 0.05
# Reading PSS walks page tables; a sampler that worked all the time would slow what it measures.
_PAUSE_PER_WORK = 9.0


def role(command: str) -> str:
    """Returns what a process is for, from its command line."""
    if "noop.py" in command or "/run.sh" in command:
        return "trial"
    if "subject.py" in command:
        return "client"
    if "nni_manager.tuning" in command or "-m nni " in command or "nni.runtime" in command:
        return "tuner"
    if "nni.courier" in command:
        return "courier"
    if "nni_manager" in command or "main.js" in command:
        return "manager"
    return "other"


class Sampler:
    """Samples the processes that carry a mark until it is stopped.

    Attributes:
        peak_pss: The highest memory by role, in bytes, and of all but the trials as "all".
        cpu: (time, processor seconds by role up to then), one entry a sample.
    """

    def __init__(self, mark: str) -> None:
        """Makes a sampler for the processes whose environment has MARK=`mark`."""
        self.peak_pss: dict[str, int] = defaultdict(int)
        self.cpu: list[tuple[float, dict[str, float]]] = []
        self._mark = mark
        self._known: dict[int, psutil.Process | None] = {}
        self._cpu_of: dict[tuple[int, str], float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Sampler:
        """Starts sampling."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops sampling."""
        self._stopping.set()
        self._thread.join()

    def living(self) -> list[psutil.Process]:
        """Returns the marked processes that run now."""
        pids = psutil.pids()
        for pid in set(self._known) - set(pids):
            del self._known[pid]
        for pid in pids:
            if pid not in self._known:
                self._known[pid] = self._marked(pid)
        return [process for process in self._known.values() if process is not None]

    def _run(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            self.sample()
            spent = time.monotonic() - started
            self._stopping.wait(max(_SHORTEST_PAUSE, spent * _PAUSE_PER_WORK))

    def sample(self) -> None:
        """Reads every marked process once."""
        memory: dict[str, int] = defaultdict(int)
        for process in self.living():
            try:
                purpose = role(" ".join(process.cmdline()) + " ")
                if purpose == "trial":
                    continue
                times = process.cpu_times()
                memory[purpose] += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            self._cpu_of[process.pid, purpose] = times.user + times.system
        memory["all"] = sum(memory.values())
        for purpose, size in memory.items():
            self.peak_pss[purpose] = max(self.peak_pss[purpose], size)
        self.cpu.append((time.time(), _sums(self._cpu_of)))

    def _marked(self, pid: int) -> psutil.Process | None:
        try:
            process = psutil.Process(pid)
            return process if process.environ().get(MARK) == self._mark else None
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None


def _sums(cpu_of: Mapping[tuple[int, str], float]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for (_, purpose), seconds in cpu_of.items():
        sums[purpose] += seconds
    return sums
