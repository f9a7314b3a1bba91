"""What is around the manager: a clock that is set, trials that are only events, a tuner in the process."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nni_manager.algorithms.registry import find_algorithm
from nni_manager.engine.effects import AssessorCall, TunerCall
from nni_manager.engine.events import (
    Event,
    ParametersProposed,
    Report,
    TrialEnded,
    TrialReported,
    TrialStarted,
    TunerProcessed,
)
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.interface import TrialRun
from nni_manager.tuning.interface import NO_HISTORY, History, Rebuilt
from nni_manager.tuning.requests import request_of
from nni_manager.tuning.response_events import event_of
from nni_manager.tuning.tuner_dispatcher import TunerDispatcher
from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

INTERMEDIATES = 5
"""How many intermediate results a trial reports."""

TICK_SECONDS = 10.0
"""From one moment at which something happens to the next."""

_FAILED, _KILLED = 0.02, 0.01
"""The chances of an attempt to fail and to be killed."""

Emit = Callable[[Event], None]


class VirtualClock:
    """The time of the simulation; in place of the module `time`."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        """Returns the time."""
        return self.now


class VirtualTrials:
    """A training service whose trials are events to come.

    Attributes:
        reported: How many results were reported.
        attempts: How many attempts were started.
    """

    def __init__(self, emit: Emit, clock: VirtualClock, seed: int) -> None:
        self.reported = 0
        self.attempts = 0
        self._emit = emit
        self._clock = clock
        self._chance = random.Random(seed)
        self._to_come: list[tuple[float, int, Event]] = []
        self._count = 0

    def submit(self, run: TrialRun) -> None:
        """Plans the life of a trial."""
        self.attempts += 1
        trial, attempt = run.trial_id, run.attempt
        times = [self._clock.now + TICK_SECONDS]
        self._plan(times[0], TrialStarted(trial, attempt, times[0]))
        chance = self._chance.random()
        results = INTERMEDIATES if chance > _FAILED + _KILLED else self._chance.randrange(INTERMEDIATES)
        for number in range(results):
            times.append(times[-1] + TICK_SECONDS * self._chance.randint(1, 3))
            value = {"default": self._chance.random(), "loss": self._chance.random()}
            self._report(run, MetricKind.INTERMEDIATE, number, value, times[-1])
        end = times[-1] + TICK_SECONDS
        if chance > _FAILED + _KILLED:
            self._report(run, MetricKind.FINAL, results, run.parameters["x"], end)
            self._plan(end, TrialEnded(trial, attempt, end, exit_code=0))
        elif chance > _KILLED:
            self._plan(end, TrialEnded(trial, attempt, end, exit_code=1, stderr_tail="Traceback ..."))
        else:
            self._plan(end, TrialEnded(trial, attempt, end, signal=9))

    def pass_time(self) -> None:
        """Sets the clock to when something happens next, and lets it happen."""
        if self._to_come:
            self._clock.now = self._to_come[0][0]
        while self._to_come and self._to_come[0][0] <= self._clock.now:
            self._emit(heapq.heappop(self._to_come)[2])

    async def start(self) -> None:
        """Does nothing."""

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Is not called: nothing is restarted."""
        raise NotImplementedError

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Is not called: nothing is canceled."""
        raise NotImplementedError

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Forgets nothing: nothing is kept."""

    def release(self) -> None:
        """Does nothing."""

    def output_directory(self, trial_id: str) -> str:
        """Returns a folder that does not exist."""
        return f"/simulated/{trial_id}"

    async def close(self) -> None:
        """Does nothing."""

    def _report(self, run: TrialRun, kind: MetricKind, number: int, value: Any, at: float) -> None:
        self.reported += 1
        report = Report(kind, f"1000-{run.sequence_number:x}", number, value, at)
        event = TrialReported(run.trial_id, run.attempt, (report,), end_offset=100 * (number + 1))
        self._plan(at, event)

    def _plan(self, at: float, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._to_come, (at, self._count, event))


class TunerInProcess:
    """The built-in random tuner, called as its own process would call it, but here."""

    hears_intermediate_results = False

    def __init__(self, emit: Emit, clock: VirtualClock, search_space: Any, seed: int) -> None:
        self._emit = emit
        self._clock = clock
        tuner = find_algorithm("tuner", "Random").load()(seed=seed)
        tuner.update_search_space(search_space)
        self._dispatcher = TunerDispatcher(tuner, self._answer)

    async def start(self, history: History = NO_HISTORY) -> Rebuilt | None:
        """Does nothing: the tuner is there."""
        return None

    def tell(self, call: TunerCall | AssessorCall) -> None:
        """Deals with a call in the next turn of the event loop."""
        asyncio.get_running_loop().call_soon(self._deal_with, call)

    async def change_search_space(self, number: int, search_space: Any) -> None:
        """Is not called: the search space stays."""
        raise NotImplementedError

    async def close(self, grace_seconds: float = 5.0) -> None:
        """Does nothing."""

    def _deal_with(self, call: Any) -> None:
        self._dispatcher.handle(request_of(call))
        self._emit(TunerProcessed(call.number, self._clock.now))

    def _answer(self, response: AlgorithmResponse) -> None:
        event = event_of(response, "tuner")
        self._emit(replace(event, at=self._clock.now) if isinstance(event, ParametersProposed) else event)
