"""Finds out which jobs have said something, by few looks into the storage they share with the manager."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.spool import JobSpool
from nni_manager.waiting import happens_within

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 60.0
_LISTING = 3.0
"""How many times less often a storage is looked at where each look is a request."""

_SELDOM = 10.0


class SpoolWatch:
    """Looks at the files of all jobs together, and wakes the spools of those that have grown."""

    def __init__(
        self,
        files: SharedFiles,
        pace: Pace,
        spools: Callable[[], Mapping[str, JobSpool]],
        broke: Callable[[str], None],
    ) -> None:
        """Looks at nothing yet.

        Args:
            files: The storage.
            pace: How often to look.
            spools: Returns the spools that may hear something, by job.
            broke: Gets a sentence if it cannot go on.
        """
        self._files = files
        self._pace = pace
        self._spools = spools
        self._wanted = asyncio.Event()
        self._task = tasks.begin(self._work(), "the watch over the files of jobs", broke)

    def want(self) -> None:
        """Says that there may be a spool to look at."""
        self._wanted.set()

    async def close(self) -> None:
        """Looks no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        usual = self._pace.files_seconds * (_LISTING if self._files.costs_requests else 1.0)
        pause, is_failing = usual, False
        while True:
            spools = self._spools()
            if not spools:
                self._wanted.clear()
                await happens_within(self._wanted, _SELDOM * pause)
                continue
            await asyncio.sleep(pause)
            listening = {spool.events_file[0]: spool for spool in spools.values()}
            known = dict(spool.events_file for spool in spools.values())
            try:
                grown = await asyncio.to_thread(self._files.grown, "spool", known)
            except SharedStorageError as error:
                if not is_failing:
                    logger.warning("what jobs say cannot be read, trying again: %s", error)
                is_failing, pause = True, min(pause * 2, _LONGEST_PAUSE)
                continue
            is_failing, pause = False, usual
            for name in grown:
                listening[name].look()
