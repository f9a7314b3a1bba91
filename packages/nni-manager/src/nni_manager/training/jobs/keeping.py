"""Keeps jobs for as long as there are trials for them, and ends them then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from nni_manager.training.jobs.board import JobBoard
from nni_manager.training.jobs.claiming import Claims
from nni_manager.training.jobs.job import Job, Key
from nni_manager.training.jobs.orders import TrialRules
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import JobState
from nni_manager.training.jobs.spools import JobSpools
from nni_manager.training.jobs.timers import Timers


class JobKeeper:
    """Takes up jobs, ends those without a trial, and forgets those that have ended."""

    def __init__(
        self,
        board: JobBoard,
        spools: JobSpools,
        claims: Claims,
        timers: Timers,
        rules: TrialRules,
        pace: Pace,
    ) -> None:
        """Keeps no job yet.

        Args:
            board: The jobs.
            spools: Follows them.
            claims: Knows whether a job may have a trial that nobody has asked for.
            timers: Has things done later.
            rules: How trials are run.
            pace: How long things may take.
        """
        self._board = board
        self._spools = spools
        self._claims = claims
        self._timers = timers
        self._rules = rules
        self._pace = pace
        self._is_released = False
        self._closing: set[asyncio.Task[None]] = set()
        claims.on_first = self._idle_from_now_on

    @property
    def patience(self) -> float:
        """How many seconds a trial, or a job, that was told to end may take until its job is stopped."""
        return 2 * self._rules.grace_seconds + self._pace.insist_seconds

    def job(self, name: str, *, pooled: bool) -> Job:
        """Returns what is known of a job, from now on if need be."""
        job = self._board.jobs.get(name)
        if job is None or (job.is_over and not job.trials):
            job = Job(name, self._spools.make(name), pooled)
            self._board.add(job)
            self._board.begin(job, self._spools.open(job))
            if pooled:
                self._becomes_idle(job)
        return job

    def leave(self, job: Job, key: Key) -> None:
        """Takes note that a trial is not in a job any more."""
        job.trials.discard(key)
        if job.trials:
            return
        if job.is_over or not (job.is_submitted or job.is_ordered):
            self.forget(job)
        elif job.is_pooled:
            self._becomes_idle(job)
        else:
            # It ends by itself, soon.
            self._timers.later(self.patience, lambda: self._board.stop(job) if not job.trials else None)
            self._board.look_soon()

    def forget(self, job: Job) -> None:
        """Follows a job no more."""
        job.keep_busy()
        self._board.forget(job)
        self._spools.forget(job.name)
        self.have_done(job.spool.close(), f"end of the spool of {job.name}")

    def expect(self) -> None:
        """Says that trials are coming."""
        self._is_released = False

    def release(self) -> None:
        """Says that no trial is coming: jobs without one end."""
        self._is_released = True
        for job in list(self._board.jobs.values()):
            if job.is_pooled and not job.is_ending:
                job.spool.release()
                if not job.trials:
                    self._end_idle(job)

    def have_done(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Has something done that `close` waits for."""
        task = asyncio.create_task(work, name=name)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def end_idle(self) -> None:
        """Ends the jobs that have no trial, those of an earlier manager that nobody asked for among them."""
        if not self._claims.have_begun:
            return
        self._claims.stop_unclaimed()
        idle = [job for job in self._board.jobs.values() if not job.trials and not job.is_over]
        for job in idle:
            self._end_idle(job)
        if idle:
            await self._board.ended(idle, 2 * self._rules.grace_seconds + self._pace.close_seconds)

    async def close(self) -> None:
        """Follows no job any more, after what is to be done."""
        await asyncio.gather(*(job.spool.close() for job in self._board.jobs.values()), *self._closing)

    def _idle_from_now_on(self) -> None:
        for job in self._board.jobs.values():
            if job.is_pooled and not job.trials:
                self._becomes_idle(job)

    def _becomes_idle(self, job: Job) -> None:
        job.keep_busy()
        if not self._claims.have_begun:
            return  # it may have a trial that nobody has asked for yet
        if self._is_released:
            self._end_idle(job)
        elif not self._timers.is_over:
            loop = asyncio.get_running_loop()
            job.idle_timer = loop.call_later(self._pace.idle_seconds, self._end_idle, job)

    def _end_idle(self, job: Job) -> None:
        """Has a job end that has no trial; one that does not is stopped."""
        if job.trials or job.is_over or job.is_ending:
            return
        job.keep_busy()
        if not job.has_run and job.report is not None and job.report.state is JobState.WAITING:
            self._board.stop(job)
            return
        job.is_ending = True
        job.spool.shut_down()
        self._timers.later(self.patience, lambda: self._board.stop(job))
        self._board.look_soon()
