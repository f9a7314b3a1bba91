"""A training service without processes: what a trial does is a function of its parameters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

from nni_manager.engine.events import Report, TrialEnded, TrialReported, TrialStarted
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.interface import Emit, TrialRun

Behaviour = Callable[[Any], Iterable[Any]]
"""Returns the results that a trial with these parameters reports, the final one last."""


class SimulatedTrainingService:
    """Trials that report and end at once, or that wait until the test ends them.

    Attributes:
        runs: Every run that was submitted, by trial.
        canceled: The trials that were told to stop.
        acknowledged: The position acknowledged of each trial.
        released: How often it was said that no trial is coming.
        closed: Whether the service was let go.
    """

    def __init__(self, emit: Emit, behaviour: Behaviour | None) -> None:
        """Makes a service.

        Args:
            emit: Gets the events.
            behaviour: What trials do; None makes them wait.
        """
        self.runs: dict[str, TrialRun] = {}
        self.canceled: list[str] = []
        self.acknowledged: dict[str, int] = {}
        self.released = 0
        self.closed = False
        self._emit = emit
        self._behaviour = behaviour

    async def start(self) -> None:
        """Does nothing."""

    def submit(self, run: TrialRun) -> None:
        """Starts a trial in the next turn of the event loop."""
        self.runs[run.trial_id] = run
        asyncio.get_running_loop().call_soon(self._run, run)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Ends the trial: nothing is left of it after a restart."""
        self._emit(TrialEnded(trial_id, attempt, time.time(), problem="not there"))

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Ends a trial by signal 2."""
        self.canceled.append(trial_id)
        self._emit(TrialEnded(trial_id, attempt, time.time(), signal=2))

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

    def report(self, trial_id: str, *values: Any) -> None:
        """Makes a waiting trial report results, the last one as final."""
        now = time.time()
        kinds = [MetricKind.INTERMEDIATE] * (len(values) - 1) + [MetricKind.FINAL]
        reports = tuple(
            Report(kind, "simulated", number, value, now)
            for number, (kind, value) in enumerate(zip(kinds, values, strict=True))
        )
        self._emit(TrialReported(trial_id, self.runs[trial_id].attempt, reports, end_offset=len(reports)))

    def end(self, trial_id: str, exit_code: int = 0) -> None:
        """Ends a waiting trial."""
        self._emit(TrialEnded(trial_id, self.runs[trial_id].attempt, time.time(), exit_code=exit_code))

    def _run(self, run: TrialRun) -> None:
        self._emit(TrialStarted(run.trial_id, run.attempt, time.time()))
        if self._behaviour is not None:
            values = list(self._behaviour(run.parameters))
            if values:
                self.report(run.trial_id, *values)
            self.end(run.trial_id)
            self.runs[run.trial_id] = run
