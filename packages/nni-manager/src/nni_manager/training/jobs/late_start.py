"""Starts a host of jobs although its platform is away, when a resume finds that trials ran there.

What the host is told meanwhile is held. When the platform is back the jobs are adopted, and whatever was
canceled is stopped.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nni_manager.engine.events import TrainingServiceFailed, TrialEnded, TrialReported, TrialWaits
from nni_manager.training.host import HostAwayError, HostChanged, HostEmit, HostEvent, HostReport
from nni_manager.training.interface import TrainingServiceError, TrialRun
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.host import JobHost
from nni_manager.training.jobs.job import Key
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import PlatformNotAnsweringError
from nni_manager.training.jobs.timers import Timers

CANCEL_PATIENCE = Pace().cancel_seconds
"""How many seconds a platform that is away has to come back until canceled trials count as ended."""

logger = logging.getLogger(__name__)


@dataclass
class _Held:
    """An attempt that the host is to hear of.

    Attributes:
        run: What is submitted, None for an attempt that is adopted.
        offset: Up to where the results of an adopted one are stored.
        is_canceled: Whether it is to be stopped.
    """

    run: TrialRun | None
    offset: int = 0
    is_canceled: bool = False


class LateStartHost:
    """Keeps the promises of training/host.py for a host of jobs.

    Attributes:
        name: The host.
    """

    def __init__(
        self,
        make: Callable[[HostEmit], JobHost],
        emit: HostEmit,
        *,
        cancel_patience: float = CANCEL_PATIENCE,
    ) -> None:
        """Makes a host that has done nothing yet.

        Args:
            make: Makes the host of jobs.
            emit: Gets the events.
            cancel_patience: How many seconds the platform may be away before canceled trials end.
        """
        self._emit = emit
        self._host = make(self._pass_on)
        self.name = self._host.name
        self._cancel_patience = cancel_patience
        self._is_told_away = False
        self._reason = ""
        self._held: dict[Key, _Held] | None = None
        self._is_released = False
        self._given_up: set[Key] = set()
        self._timers = Timers()
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Signs in, and brings what jobs need.

        Raises:
            HostAwayError: The platform does not answer.
            TrainingServiceError: That is impossible; the text says why.
        """
        try:
            await self._host.start()
        except PlatformNotAnsweringError as error:
            later = partial(self._start_later, str(error))
            raise HostAwayError(str(error), later, is_awaited=True) from error

    async def report(self) -> HostReport:
        """Lists no GPU: the platform knows where jobs have theirs."""
        return await self._host.report()

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""
        if self._held is None:
            self._host.submit(run)
        else:
            self._hold((run.trial_id, run.attempt), _Held(run))

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""
        if self._held is None:
            self._host.adopt(trial_id, attempt, acknowledged_offset)
        else:
            self._hold((trial_id, attempt), _Held(None, acknowledged_offset))

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial. While the platform is away that is done later, but its end is told before long."""
        if self._held is None:
            self._host.cancel(trial_id, attempt)
        elif (held := self._held.get((trial_id, attempt))) is not None and not held.is_canceled:
            held.is_canceled = True
            give_up = partial(self._give_up, (trial_id, attempt))
            self._timers.later(self._cancel_patience, give_up)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""
        if self._held is None:
            self._host.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Says that no trial is coming: jobs without one end, and processes that wait for one."""
        if self._held is None:
            self._host.release()
        else:
            self._is_released = True

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output, as its job names it."""
        return self._host.output_directory(trial_id)

    async def close(self) -> None:
        """Lets the platform go. Jobs with a trial go on, others end."""
        self._timers.cancel()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        if self._held:
            logger.warning(
                "%s; what runs there goes on, until a resume finds it or `nnictl platform clean` stops it",
                self._reason,
            )
        await self._host.close()

    def _start_later(self, reason: str) -> None:
        self._held, self._reason = {}, reason
        if not self._is_told_away:
            self._pass_on(HostChanged(self.name, False, time.time(), reason))
        self._starting = tasks.begin(self._start_once_answered(), f"start of {self.name}", self._failed)

    async def _start_once_answered(self) -> None:
        try:
            await self._host.start_once_answered(self._away)
        except TrainingServiceError as error:
            self._failed(str(error))
            return
        held, self._held = self._held or {}, None
        for key, each in held.items():
            if each.run is not None and not each.is_canceled:
                self._host.submit(each.run)
                continue
            # What was submitted and canceled may run all the same: an earlier manager died before it knew.
            self._host.adopt(*key, each.offset)
            if each.is_canceled:
                self._host.cancel(*key)
        if self._is_released:
            self._host.release()

    def _hold(self, key: Key, held: _Held) -> None:
        assert self._held is not None
        if key not in self._held:
            self._held[key] = held
            self._emit(TrialWaits(*key, self._reason))

    def _away(self, reason: str) -> None:
        told = f"{self.name} does not answer: {reason}"
        if told == self._reason:
            return
        self._reason = told
        logger.warning("%s", told)
        for key in (self._held or {}).keys() - self._given_up:
            self._emit(TrialWaits(*key, told))

    def _give_up(self, key: Key) -> None:
        """Tells the end of a canceled trial that cannot be stopped now."""
        if self._held is None:
            return
        self._given_up.add(key)
        problem = f"it was canceled while {self._reason}; its job is stopped when there is an answer"
        self._emit(TrialEnded(*key, at=time.time(), problem=problem))

    def _pass_on(self, event: HostEvent) -> None:
        """Passes on what the host tells, beyond what is no news any more."""
        if isinstance(event, HostChanged):
            self._is_told_away = not event.reachable
        elif not isinstance(event, TrainingServiceFailed):
            key = (event.trial_id, event.attempt)
            if key in self._given_up:
                self._leave_out(key, event)
                return
        self._emit(event)

    def _leave_out(self, key: Key, event: HostEvent) -> None:
        if isinstance(event, TrialReported):
            self._host.acknowledge(*key, event.end_offset or 0)
        elif isinstance(event, TrialEnded):
            self._given_up.discard(key)

    def _failed(self, message: str) -> None:
        self._emit(TrainingServiceFailed(message, at=time.time()))
