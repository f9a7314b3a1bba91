"""Gives trials to jobs: each to one of its own, or to one of a pool that has room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from nni_manager.training.interface import TrialRun
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.board import JobBoard
from nni_manager.training.jobs.job import Job, Key
from nni_manager.training.jobs.keeping import JobKeeper
from nni_manager.training.jobs.names import JobNames
from nni_manager.training.jobs.orders import TrialRules
from nni_manager.training.jobs.pool import job_with_room
from nni_manager.training.jobs.record import JobRecord

logger = logging.getLogger(__name__)

NOTE_AGAIN_SECONDS = 2.0
"""After how long writing down jobs is tried again, when it failed."""


class Giving:
    """Holds trials until they are given to jobs; which one is on record before."""

    def __init__(
        self,
        *,
        platform_name: str,
        board: JobBoard,
        keeper: JobKeeper,
        names: JobNames,
        record: JobRecord,
        rules: TrialRules,
        launch: Callable[[TrialRun, Job], None],
        waits: Callable[[Key, str], None],
        broke: Callable[[str], None],
    ) -> None:
        """Holds no trial yet.

        Args:
            platform_name: What their platform is called.
            board: The jobs.
            keeper: Takes up jobs.
            names: Names them.
            record: Notes which trial is in which.
            rules: How trials are run.
            launch: Starts a trial in a job.
            waits: Gets an attempt that cannot be given to a job now, and why.
            broke: Gets a sentence if it cannot go on.
        """
        self._name = f"giving trials to jobs of {platform_name}"
        self._board = board
        self._keeper = keeper
        self._names = names
        self._record = record
        self._rules = rules
        self._launch = launch
        self._waits = waits
        self._broke = broke
        self._pending: dict[Key, TrialRun] = {}
        self._missed: set[Key] = set()
        self._task: asyncio.Task[None] | None = None
        self._next_number = 0
        self._is_over = False

    def __contains__(self, key: Key) -> bool:
        """Returns whether an attempt is held."""
        return key in self._pending

    def __len__(self) -> int:
        """Returns how many are held."""
        return len(self._pending)

    def open(self) -> None:
        """Looks at the jobs that there are, whose numbers are not used again."""
        self._next_number = self._names.next_number({*self._board.listed, *self._record.jobs()})

    def add(self, run: TrialRun) -> None:
        """Gives a trial to a job soon."""
        self._pending[run.trial_id, run.attempt] = run
        if self._task is None:
            self._task = tasks.begin(self._give_all(), self._name, self._broke)

    def add_again(self, run: TrialRun) -> None:
        """Gives a trial to another job than the one that is on record: it came too late to that."""
        self._missed.add((run.trial_id, run.attempt))
        self.add(run)

    def remove(self, key: Key) -> bool:
        """Takes back an attempt; returns whether it was held."""
        self._missed.discard(key)
        return self._pending.pop(key, None) is not None

    async def close(self) -> None:
        """Gives nothing any more."""
        self._is_over = True
        self._pending.clear()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _give_all(self) -> None:
        """Gives trials after what is ordered in the same step, so that adopted ones have theirs."""
        try:
            while self._pending and not self._is_over:
                await asyncio.sleep(0)
                chosen = {key: self._choose(key) for key in self._pending}
                if self._rules.reuse_mode:
                    try:
                        new = {key: job.name for key, job in chosen.items()}
                        await asyncio.to_thread(self._record.add, new)
                    except OSError as error:
                        self._not_noted(list(chosen.values()), error)
                        await asyncio.sleep(NOTE_AGAIN_SECONDS)
                        continue
                for key, job in chosen.items():
                    self._give(key, job)
        finally:
            self._task = None

    def _give(self, key: Key, job: Job) -> None:
        run = self._pending.pop(key, None)
        if run is None:  # canceled meanwhile
            self._keeper.leave(job, key)
        elif job.is_ending:
            self._keeper.leave(job, key)
            self._missed.add(key)  # the job on record takes it no more
            self._pending[key] = run
        else:
            self._missed.discard(key)
            self._launch(run, job)

    def _choose(self, key: Key) -> Job:
        """Returns the job that a trial is given to, with the trial in it."""
        noted = self._record.job_of(key)
        if not self._rules.reuse_mode:
            job = self._keeper.job(noted or self._names.of_attempt(*key), pooled=False)
        elif noted is not None and key not in self._missed:
            job = self._keeper.job(noted, pooled=True)
        else:
            found = job_with_room(self._board.jobs.values(), key, self._rules.slots_per_job)
            job = found or self._new_pooled()
        job.trials.add(key)
        job.keep_busy()
        return job

    def _new_pooled(self) -> Job:
        name = self._names.of_pool(self._next_number)
        self._next_number += 1
        return self._keeper.job(name, pooled=True)

    def _not_noted(self, jobs: Collection[Job], error: OSError) -> None:
        logger.error("no trial can be started: which job it goes to cannot be noted: %s", error)
        for key in self._pending:
            self._waits(key, f"the experiment's folder cannot be written: {error.strerror or error}")
        for job in jobs:
            job.trials -= self._pending.keys()
            if not job.trials and not job.is_submitted:
                self._keeper.forget(job)
