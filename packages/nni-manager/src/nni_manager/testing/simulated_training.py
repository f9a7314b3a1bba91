"""A training service without processes: what a trial does is a function of its parameters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from nni_manager.engine.events import Report, TrialEnded, TrialReported, TrialStarted
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.interface import Emit, TrialRun

Behaviour = Callable[[Any], Iterable[Any]]
"""Returns the results that a trial with these parameters reports, the final one last."""


@dataclass(slots=True)
class World:
    """What the trials of an experiment have left, by trial and attempt.

    Attributes:
        reports: What each has reported, of every one that was started.
        ends: How those ended that have.
    """

    reports: dict[tuple[str, int], list[Report]] = field(default_factory=dict)
    ends: dict[tuple[str, int], TrialEnded] = field(default_factory=dict)


class SimulatedTrainingService:
    """Trials that report and end at once, or that wait until the test ends them.

    Attributes:
        world: What there is of trials; it outlives the service as trials do a manager.
        runs: Every run that was submitted, by trial.
        adopted: The trials that were adopted, each with its position.
        canceled: The trials that were told to stop.
        acknowledged: The position acknowledged of each trial.
        released: How often it was said that no trial is coming.
        closed: Whether the service was let go.
    """

    def __init__(self, emit: Emit, behaviour: Behaviour | None, world: World | None = None) -> None:
        """Makes a service.

        Args:
            emit: Gets the events.
            behaviour: What trials do; None makes them wait.
            world: That of an earlier service, None for a new one.
        """
        self.world = World() if world is None else world
        self.runs: dict[str, TrialRun] = {}
        self.adopted: list[tuple[str, int]] = []
        self.canceled: list[str] = []
        self.acknowledged: dict[str, int] = {}
        self.released = 0
        self.closed = False
        self._emit = emit
        self._behaviour = behaviour

    async def start(self) -> None:
        """Does nothing."""

    def submit(self, run: TrialRun) -> None:
        """Starts a trial in the next turn of the event loop; one that was started before is adopted."""
        self.runs[run.trial_id] = run
        if (run.trial_id, run.attempt) in self.world.reports:
            self.adopt(run.trial_id, run.attempt, 0)
            return
        self.world.reports[run.trial_id, run.attempt] = []
        asyncio.get_running_loop().call_soon(self._run, run)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Tells what is new of a trial; one that was never started ends with a problem."""
        self.adopted.append((trial_id, acknowledged_offset))
        self.runs.setdefault(trial_id, TrialRun(trial_id, attempt, 0, None, None))
        reports = self.world.reports.get((trial_id, attempt))
        if reports is None:
            self._emit(TrialEnded(trial_id, attempt, time.time(), problem="not there"))
            return
        self._emit(TrialStarted(trial_id, attempt, time.time()))
        self._tell(trial_id, attempt, acknowledged_offset)
        if (trial_id, attempt) in self.world.ends:
            self._emit(self.world.ends[trial_id, attempt])

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Ends a trial by signal 2."""
        self.canceled.append(trial_id)
        self._end(TrialEnded(trial_id, attempt, time.time(), signal=2))

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Notes the position."""
        self.acknowledged[trial_id] = offset

    def release(self) -> None:
        """Counts."""
        self.released += 1

    def output_directory(self, trial_id: str) -> str:
        """Returns a folder that does not exist."""
        return f"/simulated/{trial_id}"

    async def close(self) -> None:
        """Notes that the service was let go."""
        self.closed = True

    def report(self, trial_id: str, *values: Any, final: bool = True) -> None:
        """Makes a waiting trial report results, the last one as final unless it is said not to be."""
        attempt = self.runs[trial_id].attempt
        reports = self.world.reports[trial_id, attempt]
        before = len(reports)
        for index, value in enumerate(values, 1):
            kind = MetricKind.FINAL if final and index == len(values) else MetricKind.INTERMEDIATE
            reports.append(Report(kind, "simulated", len(reports), value, time.time()))
        self._tell(trial_id, attempt, before)

    def end(self, trial_id: str, exit_code: int | None = 0, signal: int | None = None) -> None:
        """Ends a waiting trial; with neither an exit code nor a signal its runner is lost."""
        problem = "runner lost" if exit_code is None and signal is None else ""
        code = None if signal is not None else exit_code
        self._end(TrialEnded(trial_id, self.runs[trial_id].attempt, time.time(), code, signal, problem))

    def _run(self, run: TrialRun) -> None:
        self._emit(TrialStarted(run.trial_id, run.attempt, time.time()))
        if self._behaviour is not None:
            values = list(self._behaviour(run.parameters))
            if values:
                self.report(run.trial_id, *values)
            self.end(run.trial_id)

    def _tell(self, trial_id: str, attempt: int, offset: int) -> None:
        reports = self.world.reports[trial_id, attempt]
        if reports[offset:] and not self.closed:
            self._emit(TrialReported(trial_id, attempt, tuple(reports[offset:]), end_offset=len(reports)))

    def _end(self, event: TrialEnded) -> None:
        self.world.ends[event.trial_id, event.attempt] = event
        if not self.closed:
            self._emit(event)
