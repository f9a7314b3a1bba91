"""Machines without processes: a test says what happens on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nni_manager.engine.events import Report, TrainingServiceFailed, TrialEnded, TrialReported, TrialStarted
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.host import Gpu, HostAwayError, HostChanged, HostEmit, HostReport
from nni_manager.training.interface import TrainingServiceError, TrialRun

Attempt = tuple[str, int]


def gpus(*others: int) -> HostReport:
    """Returns a report of GPUs "GPU-0", "GPU-1", ... on which so many processes of others run."""
    found = (Gpu(number, f"GPU-{number}", used_by_others=count) for number, count in enumerate(others))
    return HostReport(tuple(found), "", 0.0)


@dataclass
class FakeMachine:
    """A machine, which outlives the hosts that managers make of it.

    Attributes:
        name: What it is called.
        report: Its GPUs, or why they cannot be told.
        start_problem: Why it cannot be used, "" if it can.
        is_away: Whether it cannot be reached when it is to start.
        is_awaited: Whether an experiment with trials on it begins without it.
        refuses: Why it takes no trial, None if it does.
        runs: What was launched on it and has not ended.
        ends: How those ended that have.
        launched: Every attempt that was launched, in order.
        adopted: Every attempt that was adopted, in order.
        canceled: Every attempt that was told to stop.
        acknowledged: The position acknowledged of each attempt.
        asked: How often its GPUs were listed.
        released: How often it was said that no trial is coming.
        closed: How often a host was closed.
    """

    name: str
    report: HostReport | Exception = field(default_factory=gpus)
    start_problem: str = ""
    is_away: bool = False
    is_awaited: bool = False
    refuses: Exception | None = None
    runs: dict[Attempt, TrialRun] = field(default_factory=dict)
    ends: dict[Attempt, TrialEnded] = field(default_factory=dict)
    launched: list[Attempt] = field(default_factory=list)
    adopted: list[Attempt] = field(default_factory=list)
    canceled: list[Attempt] = field(default_factory=list)
    acknowledged: dict[Attempt, int] = field(default_factory=dict)
    asked: int = 0
    released: int = 0
    closed: int = 0
    emit: HostEmit = lambda event: None
    happened: Callable[[], None] = lambda: None

    def make(self, emit: HostEmit) -> FakeHost:
        """Returns a host that is this machine; what happens is told to it alone."""
        self.emit = emit
        return FakeHost(self)

    def visible(self, trial_id: str, attempt: int = 0) -> str | None:
        """Returns the CUDA_VISIBLE_DEVICES of a trial that runs."""
        return self.runs[trial_id, attempt].environment.get("CUDA_VISIBLE_DEVICES")

    def begin(self, trial_id: str, attempt: int = 0) -> None:
        """Tells that a trial has started."""
        self.emit(TrialStarted(trial_id, attempt, time.time()))

    def tell(self, trial_id: str, attempt: int = 0, end_offset: int = 1) -> None:
        """Tells a result of a trial."""
        report = Report(MetricKind.INTERMEDIATE, "1", 0, 1.0, time.time())
        self.emit(TrialReported(trial_id, attempt, (report,), end_offset))

    def end(
        self, trial_id: str, attempt: int = 0, exit_code: int | None = 0, signal: int | None = None
    ) -> TrialEnded:
        """Ends a trial; with neither an exit code nor a signal it has a problem."""
        problem = "it could not be started" if exit_code is None and signal is None else ""
        event = TrialEnded(trial_id, attempt, time.time(), exit_code, signal, problem)
        del self.runs[trial_id, attempt]
        self.ends[trial_id, attempt] = event
        self.emit(event)
        return event

    def fail(self, message: str) -> None:
        """Says that it cannot go on."""
        self.emit(TrainingServiceFailed(message, time.time()))

    def cut(self, at: float, reason: str = "") -> None:
        """Is not reachable since a time."""
        self.emit(HostChanged(self.name, False, at, reason))

    def join(self) -> None:
        """Is reachable again."""
        self.emit(HostChanged(self.name, True, time.time()))


class FakeHost:
    """A machine as a manager has it."""

    def __init__(self, machine: FakeMachine) -> None:
        """Makes it."""
        self.name = machine.name
        self._machine = machine

    async def start(self) -> None:
        """Works, unless the machine says that it does not."""
        await asyncio.sleep(0)
        if self._machine.is_away:
            awaited = self._machine.is_awaited
            raise HostAwayError(f"{self.name}: no answer in 10 s", self._start_later, is_awaited=awaited)
        if self._machine.start_problem:
            raise TrainingServiceError(self._machine.start_problem)

    def _start_later(self) -> None:
        self._machine.cut(time.time() - 100.0, "no answer in 10 s")

    async def report(self) -> HostReport:
        """Lists the GPUs."""
        await asyncio.sleep(0)
        self._machine.asked += 1
        self._machine.happened()
        if isinstance(self._machine.report, Exception):
            raise self._machine.report
        return self._machine.report

    def submit(self, run: TrialRun) -> None:
        """Launches a trial; one that was launched before is adopted."""
        machine, attempt = self._machine, (run.trial_id, run.attempt)
        if machine.refuses is not None:
            raise machine.refuses
        if attempt in machine.runs or attempt in machine.ends:
            self.adopt(*attempt, 0)
            return
        machine.runs[attempt] = run
        machine.launched.append(attempt)
        machine.happened()

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Tells that a trial runs, or its end; one that never started ends with a problem."""
        machine = self._machine
        machine.adopted.append((trial_id, attempt))
        asyncio.get_running_loop().call_soon(self._tell_adopted, trial_id, attempt)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Takes note; the test ends the trial."""
        self._machine.canceled.append((trial_id, attempt))
        self._machine.happened()

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Takes note."""
        self._machine.acknowledged[trial_id, attempt] = offset

    def release(self) -> None:
        """Counts."""
        self._machine.released += 1

    def output_directory(self, trial_id: str) -> str:
        """Returns a folder that does not exist."""
        return f"/on/{self.name}/{trial_id}"

    async def close(self) -> None:
        """Counts."""
        self._machine.closed += 1

    def _tell_adopted(self, trial_id: str, attempt: int) -> None:
        machine = self._machine
        if (trial_id, attempt) in machine.runs:
            machine.begin(trial_id, attempt)
        else:
            never = TrialEnded(trial_id, attempt, time.time(), problem="it never started")
            machine.emit(machine.ends.get((trial_id, attempt), never))
