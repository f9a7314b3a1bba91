"""Keeps what is known of jobs in line with the platform: one list for all, orders that are tried again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.calls import PlatformCalls, told
from nni_manager.training.jobs.job import Job, end_words, waiting_words
from nni_manager.training.jobs.names import JobNames
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import (
    JobOrder,
    JobPlatform,
    JobReport,
    JobState,
    PlatformAwayError,
)
from nni_manager.waiting import happens_within

logger = logging.getLogger(__name__)

MISSING_LISTS = 3
"""In so many lists in a row a job is missing that is lost."""

_LOG_BYTES = 16_384
_LOG_LINES = 20
_CLOSE_SECONDS = 15.0
_LOOK_SECONDS = 0.5
_NOT_STARTED = "it was stopped before it started"
_SLOWER = 1.5
_AT_ONCE = 8


class Listener(Protocol):
    """Is told what becomes of jobs."""

    def job_waits(self, job: Job, reason: str) -> None:
        """Its trials wait for something else than before."""

    def job_is_over(self, job: Job, problem: str, stderr_tail: str, settle_seconds: float) -> None:
        """It has ended; its last words may take so long to arrive."""

    def platform_failed(self, message: str) -> None:
        """The platform cannot be used any more."""


class JobBoard:
    """The jobs of an experiment that matter, by name."""

    def __init__(
        self, platform: JobPlatform, names: JobNames, calls: PlatformCalls, pace: Pace, listener: Listener
    ) -> None:
        """Makes a board without jobs.

        Args:
            platform: Where they run.
            names: Tells the experiment's jobs from those of others.
            calls: How it is called.
            pace: How often it is asked.
            listener: Is told what becomes of them.
        """
        self.jobs: dict[str, Job] = {}
        self.listed: Mapping[str, JobReport] = {}
        """What the platform said last of all jobs of the experiment."""
        self._platform = platform
        self._names = names
        self._calls = calls
        self._pace = pace
        self._listener = listener
        self._soon = asyncio.Event()
        self._hurry = asyncio.Event()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._task: asyncio.Task[None] | None = None
        self._others: set[asyncio.Task[None]] = set()

    async def open(self, tries: int | None, away: Callable[[str], None] | None = None) -> None:
        """Asks for the jobs for the first time, and follows them from now on.

        Args:
            tries: How often it is asked at most, None for any number.
            away: Gets the reason each time there is no answer.

        Raises:
            PlatformAwayError: They are not known now.
            TrainingServiceError: They cannot be known.
        """
        self.listed = await self._calls.until_answered(self._list, away, tries)
        name = f"the list of jobs of {self._platform.name}"
        self._task = tasks.begin(self._follow(), name, self._listener.platform_failed)

    def add(self, job: Job) -> None:
        """Follows a job, which may be one of an earlier manager."""
        self.jobs[job.name] = job
        report = self.listed.get(job.name)
        if report is not None:
            job.is_submitted = True
            asyncio.get_running_loop().call_soon(self._take, job, report)
        self._soon.set()

    def submit(self, job: Job, order: Callable[[], JobOrder]) -> None:
        """Starts a job once what it is to do is written."""
        job.is_ordered = True
        self.begin(job, self._submit(job, order))

    def stop(self, job: Job) -> None:
        """Has a job stopped by the platform."""
        if not job.is_unwanted and not job.is_over:
            job.is_unwanted = job.is_ending = True
            self.begin(job, self._stop(job))

    def stop_name(self, name: str) -> None:
        """Has a job stopped of which nothing else is to be known."""
        task = asyncio.create_task(self._stop_name(name), name=f"stop of {name}")
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def look_soon(self) -> None:
        """Has the jobs listed again before long."""
        self._soon.set()

    def forget(self, job: Job) -> None:
        """Follows a job no more."""
        self.jobs.pop(job.name, None)

    async def ended(self, jobs: list[Job], seconds: float) -> None:
        """Waits until jobs have ended, and has those stopped that have not after a while."""
        self._hurry.set()
        deadline = time.monotonic() + seconds
        pause = min(1.0, self._pace.list_seconds)
        await self._until_over(jobs, deadline, pause)
        left = [job for job in jobs if not job.is_over]
        for job in left:
            self.stop(job)
        await self._until_over(left, deadline + seconds, pause)
        for job in left:
            if not job.is_over:
                logger.error(
                    "%s: whether job %s has ended is not known; `nnictl platform clean` finds and stops it",
                    self._platform.name,
                    job.name,
                )

    async def close(self) -> None:
        """Asks nothing any more, once what is to be stopped is, or that takes long."""
        if self._others:
            await asyncio.wait(self._others, timeout=_CLOSE_SECONDS)
        left = [*self._others, *(task for job in self.jobs.values() for task in job.tasks)]
        if self._task is not None:
            left.append(self._task)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _until_over(self, jobs: list[Job], deadline: float, pause: float) -> None:
        while any(not job.is_over for job in jobs) and time.monotonic() < deadline:
            self._soon.set()
            await asyncio.sleep(pause)

    def begin(self, job: Job, work: Coroutine[Any, Any, None]) -> None:
        """Has something done about a job, for as long as it is followed."""
        task = tasks.begin(work, f"job {job.name}", self._listener.platform_failed)
        job.tasks.add(task)
        task.add_done_callback(job.tasks.discard)

    async def _submit(self, job: Job, order: Callable[[], JobOrder]) -> None:
        if not await self._is_written(job):
            self._over(job, _NOT_STARTED, settle_seconds=0.0)
            return
        was_asked = False

        def away(reason: str) -> None:
            self._waits(job, f"{self._platform.name} does not answer: {reason}")

        async def call() -> None:
            nonlocal was_asked
            if not job.is_unwanted:
                was_asked = True
                await self._platform.submit(order())

        try:
            async with self._at_once:
                await self._calls.until_answered(call, away)
        except TrainingServiceError as error:
            self._over(job, str(error), settle_seconds=0.0)
            return
        if not was_asked:
            self._over(job, _NOT_STARTED, settle_seconds=0.0)
            return
        job.is_submitted = True
        job.submitted_at = asyncio.get_running_loop().time()
        self._soon.set()

    async def _is_written(self, job: Job) -> bool:
        """Waits until what a job is to do is written; returns False if it is not wanted any more before."""
        written = asyncio.ensure_future(job.spool.written())
        try:
            while not (await asyncio.wait([written], timeout=_LOOK_SECONDS))[0]:
                if job.is_unwanted:
                    return False
            return True
        finally:
            written.cancel()

    async def _stop(self, job: Job) -> None:
        others = [task for task in job.tasks if task is not asyncio.current_task()]
        if not job.is_submitted and others:
            await asyncio.wait(others)  # what submits it sees that it is not wanted, or has done it
            if job.is_over:
                return
        try:
            await self._calls.until_answered(lambda: self._platform.stop(job.name))
        except TrainingServiceError as error:
            logger.error("job %s cannot be stopped: %s", job.name, error)
        self._soon.set()

    async def _stop_name(self, name: str) -> None:
        try:
            await self._calls.until_answered(lambda: self._platform.stop(name))
        except TrainingServiceError as error:
            logger.error("job %s cannot be stopped: %s", name, error)

    # What the platform says

    async def _follow(self) -> None:
        pause = self._pace.list_seconds
        failing = self._pace.retry_seconds
        listed_at = asyncio.get_running_loop().time()
        while True:
            if not self.jobs:
                self._soon.clear()
                await self._soon.wait()  # nothing is asked while there is no job
            was_woken = await happens_within(self._soon, pause)
            await self._keep_distance(listed_at)
            self._soon.clear()
            listed_at = asyncio.get_running_loop().time()
            try:
                listed = await self._calls.once(self._list)
            except PlatformAwayError as error:
                for job in list(self.jobs.values()):
                    self._waits(job, f"{self._platform.name} does not answer: {told(error)}")
                pause = self._calls.pause(error, failing)
                failing *= 2
                continue
            except TrainingServiceError as error:
                self._listener.platform_failed(str(error))
                return
            failing = self._pace.retry_seconds
            changed = listed != self.listed or was_woken
            pause = self._pace.list_seconds if changed else min(pause * _SLOWER, self._pace.most_list_seconds)
            self.listed = listed
            for job in list(self.jobs.values()):
                self._take(job, listed.get(job.name))

    async def _list(self) -> Mapping[str, JobReport]:
        listed = await self._platform.list()
        return {name: report for name, report in listed.items() if self._names.has(name)}

    async def _keep_distance(self, listed_at: float) -> None:
        """Waits until the last list is old enough for another one, however many jobs come and go."""
        now = asyncio.get_running_loop().time()
        least = self._pace.list_seconds
        if not await happens_within(self._hurry, max(0.0, listed_at + least - now)):
            return
        await asyncio.sleep(min(1.0, least))

    def _take(self, job: Job, report: JobReport | None) -> None:
        if job.is_over or self.jobs.get(job.name) is not job:
            return
        if report is None:
            self._missed(job)
            return
        job.is_seen, job.missing = True, 0
        job.is_submitted = True
        before, job.report = job.report, report
        if report.state is JobState.RUNNING:
            job.has_run = True
        if not report.state.is_over:
            self._waits(job, waiting_words(report))
            return
        never_ran = report.state is JobState.STOPPED and not job.has_run and not job.spool.has_spoken
        problem = _NOT_STARTED if never_ran and job.is_unwanted else end_words(report)
        seen_waiting = before is not None and before.state is JobState.WAITING
        settle = self._pace.settle_seconds / 4 if never_ran and seen_waiting else self._pace.settle_seconds
        self._over(job, problem, settle_seconds=settle)

    def _missed(self, job: Job) -> None:
        """Takes it that a list does not have a job."""
        if not job.is_submitted:
            return
        if not job.is_seen:
            waited = asyncio.get_running_loop().time() - job.submitted_at
            if waited < self._pace.unseen_seconds and not job.is_unwanted:
                return
        job.missing += 1
        if job.missing < MISSING_LISTS:
            self._soon.set()
        elif job.is_unwanted and not job.has_run:
            self._over(job, _NOT_STARTED, settle_seconds=0.0)
        elif job.is_seen and job.report is None and not job.spool.has_spoken:
            what = f"it never started: {self._platform.name} knows no job {job.name}"
            self._over(job, what, settle_seconds=self._pace.settle_seconds / 4)
        elif job.is_seen:
            what = f"lost: {self._platform.name} does not know its job {job.name} any more"
            self._over(job, what, settle_seconds=self._pace.settle_seconds)
        else:
            what = f"lost: {self._platform.name} took its job {job.name} and never listed it"
            self._over(job, what, settle_seconds=self._pace.settle_seconds)

    def _waits(self, job: Job, reason: str) -> None:
        if job.told_wait != reason:
            job.told_wait = reason
            self._listener.job_waits(job, reason)

    def _over(self, job: Job, problem: str, *, settle_seconds: float) -> None:
        job.is_over = job.is_ending = True
        if job.report is not None and job.report.state.is_over and job.trials:
            self.begin(job, self._tell_end(job, problem, settle_seconds))
        else:
            self._listener.job_is_over(job, problem, "", settle_seconds)

    async def _tell_end(self, job: Job, problem: str, settle_seconds: float) -> None:
        """Tells the end of a job, with the last lines of what the platform keeps of its output."""
        log = b""
        try:
            log = await self._calls.once(lambda: self._platform.log(job.name, _LOG_BYTES))
        except (PlatformAwayError, TrainingServiceError) as error:
            logger.info("the log of job %s cannot be read: %s", job.name, error)
        lines = log.decode("utf-8", "replace").replace("\r", "\n").split("\n")
        tail = "\n".join(line for line in lines if line.strip()).split("\n")[-_LOG_LINES:]
        self._listener.job_is_over(job, problem, "\n".join(tail), settle_seconds)
