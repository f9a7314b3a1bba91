"""Shows what trials report in Azure ML's studio, for as long as that works; nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from nni_manager.training.aml.errors import AzureRefusedError
from nni_manager.training.aml.metrics import Metric
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.platform import PlatformAwayError

MOST_AT_ONCE = 200
"""How many metrics a request has at most: MLflow takes 1,000, and Azure ML 250 of one name."""

MOST_WAITING = 20_000
"""How many metrics wait at most to be sent; then the oldest of a job make room for its latest."""

PAUSE_SECONDS = 5.0
"""After how long a job gets the next request."""

LONGEST_PAUSE_SECONDS = 300.0
"""After how long it is tried again at most, while Azure ML takes none."""

CLOSE_SECONDS = 10.0
"""How long the last metrics may take to be sent."""

_NO_ROLE = 403
"""What a person may put in order."""

logger = logging.getLogger(__name__)

Log = Callable[[str, Sequence[Metric]], Awaitable[None]]
"""Adds metrics to a job; raises AzureRefusedError or PlatformAwayError."""


class StudioMetrics:
    """Sends metrics in batches, each job's in order, some of them twice after a failure."""

    def __init__(self, log: Log, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Sends nothing yet.

        Args:
            log: Adds metrics to a job.
            pause_seconds: After how long a job gets the next request.
        """
        self._log = log
        self._pause_seconds = pause_seconds
        self._waiting: dict[str, deque[Metric]] = {}
        self._count = 0
        self._lost = 0
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_failing = False
        self._told_refused: set[str] = set()

    def take(self, job: str, metrics: Sequence[Metric]) -> None:
        """Has metrics added to a job before long.

        Args:
            job: The job's name.
            metrics: The metrics.
        """
        if not metrics:
            return
        self._put(job, metrics)
        self._something.set()
        if self._task is None:
            self._task = tasks.begin(self._work(), "metrics for Azure ML's studio", logger.error)

    async def close(self) -> None:
        """Sends what waits, for a while."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            await asyncio.wait_for(self._send_all(), CLOSE_SECONDS)
        except (PlatformAwayError, asyncio.TimeoutError) as error:
            self._warn(str(error) or "that takes too long")
        if self._count or self._lost:
            logger.warning("%d results are not in Azure ML's studio", self._count + self._lost)

    async def _work(self) -> None:
        pause = self._pause_seconds
        while True:
            if not self._waiting:
                self._something.clear()
                await self._something.wait()
            await asyncio.sleep(pause)
            try:
                for job in list(self._waiting):
                    await self._send(job)
            except PlatformAwayError as error:
                self._warn(str(error))
                pause = min(max(2 * pause, error.retry_after or 0.0), LONGEST_PAUSE_SECONDS)
            else:
                self._is_failing, pause = False, self._pause_seconds

    async def _send_all(self) -> None:
        while self._waiting:
            for job in list(self._waiting):
                await self._send(job)

    async def _send(self, job: str) -> None:
        """Makes one request about a job.

        Raises:
            PlatformAwayError: It may work later; what was to be sent still waits.
        """
        batch = self._taken(job)
        try:
            await self._log(job, batch)
        except AzureRefusedError as error:
            if error.refusal.status == _NO_ROLE:
                self._put_back(job, batch)
                raise PlatformAwayError(str(error)) from None
            self._refused(job, error)
            self._lost += len(batch)
        except BaseException:
            self._put_back(job, batch)
            raise

    def _put(self, job: str, metrics: Sequence[Metric]) -> None:
        queue = self._waiting.setdefault(job, deque())
        queue.extend(metrics)
        self._count += len(metrics)
        while self._count > MOST_WAITING and queue:
            queue.popleft()
            self._count -= 1
            self._lost += 1

    def _taken(self, job: str) -> list[Metric]:
        queue = self._waiting[job]
        batch = [queue.popleft() for _ in range(min(MOST_AT_ONCE, len(queue)))]
        self._count -= len(batch)
        if not queue:
            del self._waiting[job]
        return batch

    def _put_back(self, job: str, batch: Sequence[Metric]) -> None:
        later = self._waiting.pop(job, deque())
        self._count -= len(later)
        self._put(job, [*batch, *later])

    def _refused(self, job: str, error: AzureRefusedError) -> None:
        """Says once for a job that Azure ML does not take what it is to show."""
        log = logger.debug if job in self._told_refused else logger.warning
        log("results of job %s are not shown in Azure ML's studio; the experiment has them: %s", job, error)
        self._told_refused.add(job)

    def _warn(self, reason: str) -> None:
        """Says once why results are not shown, until they are again."""
        log = logger.debug if self._is_failing else logger.warning
        log("results are not shown in Azure ML's studio for now; the experiment has them: %s", reason)
        self._is_failing = True
