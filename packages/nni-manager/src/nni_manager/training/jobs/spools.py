"""Follows jobs by what they say in the storage, and over the network where that is possible."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.training.interface import TrainingEvent
from nni_manager.training.jobs.job import Job
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import JobPlatform
from nni_manager.training.jobs.pushed import PushedEvents
from nni_manager.training.spool import JobSpool

logger = logging.getLogger(__name__)


class JobSpools:
    """Makes, opens and forgets the spools of jobs."""

    def __init__(
        self,
        platform: JobPlatform,
        pushed: PushedEvents | None,
        pace: Pace,
        on_event: Callable[[str, TrainingEvent], None],
        waits: Callable[[Job, str], None],
    ) -> None:
        """Follows no job yet.

        Args:
            platform: Where they run.
            pushed: What they tell over the network, None where they use the storage alone.
            pace: How often things are looked at.
            on_event: Gets what a job says, with its name.
            waits: Gets a job that cannot be followed now, and why.
        """
        self._platform = platform
        self._pushed = pushed
        self._pace = pace
        self._on_event = on_event
        self._waits = waits
        self._written: set[str] = set()

    def make(self, name: str) -> JobSpool:
        """Returns the spool of a job, not open."""
        pushed = None if self._pushed is None else self._pushed.open(name, self._platform.files)
        spool = JobSpool(
            self._platform.files if pushed is None else pushed,
            name,
            lambda event: self._on_event(name, event),
            poll_seconds=None,
            settle_seconds=self._pace.settle_seconds,
            on_sent=self._written.add,
        )
        if pushed is not None:
            pushed.on_pushed = spool.look
        return spool

    async def open(self, job: Job) -> None:
        """Opens the spool of a job as soon as the storage can be used."""
        pause = self._pace.retry_seconds
        while True:
            try:
                await job.spool.open()
                return
            except SharedStorageError as error:
                logger.warning("job %s cannot be followed, trying again: %s", job.name, error)
                self._waits(job, str(error))
                await asyncio.sleep(min(pause, self._pace.most_retry_seconds))
                pause *= 2

    def forget(self, name: str) -> None:
        """Hears a job over the network no more."""
        if self._pushed is not None:
            self._pushed.forget(name)

    def take_written(self) -> set[str]:
        """Returns the trials of which jobs have sent something since this was asked."""
        written = set(self._written)
        self._written.clear()
        return written
