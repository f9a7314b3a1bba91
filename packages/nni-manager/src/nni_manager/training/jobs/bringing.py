"""Has the files of trials brought here in time: while they run, and all before their ends are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.outputs import JobOutputs
from nni_manager.training.jobs.pace import Pace

logger = logging.getLogger(__name__)

TRIES = 4
"""How often it is tried to bring the files of a trial that has ended."""

_AT_ONCE = 4


class Bringing:
    """Copies what trials write, a few at a time and no trial twice at a time."""

    def __init__(self, outputs: JobOutputs, pace: Pace, running: Callable[[], Collection[str]]) -> None:
        """Copies nothing yet.

        Args:
            outputs: Copies the files.
            pace: How often that is done.
            running: Returns the trials whose logs may have grown.
        """
        self._outputs = outputs
        self._pace = pace
        self._running = running
        self._busy: dict[str, asyncio.Lock] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._finishing: set[asyncio.Task[None]] = set()
        self._is_failing = False
        self._task = tasks.begin(self._work(), "copying the logs of jobs", logger.error)

    def finish(self, trial_id: str, then: Callable[[], None]) -> None:
        """Brings all files of a trial that has ended, and calls something after that."""
        task = tasks.begin(self._finish(trial_id, then), f"bringing what trial {trial_id} made", logger.error)
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)

    async def last(self, trial_ids: Iterable[str]) -> None:
        """Copies logs once more, of trials whose process went on after their end."""
        for trial_id in trial_ids:
            await self._tried(trial_id, self._outputs.copy_logs, [trial_id])
            self._forget(trial_id)

    async def close(self) -> None:
        """Copies nothing any more, after what is being brought of ended trials."""
        self._task.cancel()
        await asyncio.gather(self._task, *self._finishing, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._pace.logs_seconds)
            wanted = [trial_id for trial_id in self._running() if not self._is_busy(trial_id)]
            if wanted:
                await self._tried("logs", self._outputs.copy_logs, wanted)

    async def _finish(self, trial_id: str, then: Callable[[], None]) -> None:
        pause = self._pace.retry_seconds
        for left in reversed(range(TRIES)):
            if await self._tried(trial_id, self._outputs.copy_all, trial_id):
                break
            if not left:
                logger.error("trial %s: what it has made is not here, or not all of it", trial_id)
                break
            await asyncio.sleep(min(pause, self._pace.most_retry_seconds))
            pause *= 4
        then()

    async def _tried(self, name: str, copy: Callable[..., None], *arguments: object) -> bool:
        """Copies; returns whether that went well."""
        async with self._busy.setdefault(name, asyncio.Lock()), self._at_once:
            copying = asyncio.create_task(asyncio.to_thread(copy, *arguments))
            try:
                await asyncio.shield(copying)
            except asyncio.CancelledError:
                await asyncio.wait([copying])  # a thread goes on
                raise
            except (OSError, SharedStorageError, ValueError) as error:
                log = logger.debug if self._is_failing else logger.warning
                log("files of trials cannot be copied, trying again: %s", error)
                self._is_failing = True
                return False
            except Exception:
                logger.exception("files of trials cannot be copied")  # ends are told all the same
                return False
        self._is_failing = False
        return True

    def _is_busy(self, trial_id: str) -> bool:
        lock = self._busy.get(trial_id)
        return lock is not None and lock.locked()

    def _forget(self, trial_id: str) -> None:
        self._outputs.forget(trial_id)
        self._busy.pop(trial_id, None)
