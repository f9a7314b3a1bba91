"""Runs trials in jobs of a platform: one for each attempt, or a pool that takes trial after trial."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nni_manager.engine.events import (
    TrainingServiceFailed,
    TrialEnded,
    TrialReported,
    TrialStarted,
    TrialWaits,
)
from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.training.host import HostChanged, HostEmit, HostReport
from nni_manager.training.interface import TrainingEvent, TrainingServiceError, TrialRun
from nni_manager.training.jobs import tasks
from nni_manager.training.jobs.board import JobBoard
from nni_manager.training.jobs.bringing import Bringing
from nni_manager.training.jobs.calls import PlatformCalls, told
from nni_manager.training.jobs.experiment_mark import read_mark
from nni_manager.training.jobs.job import Job, Key
from nni_manager.training.jobs.leaving import leave
from nni_manager.training.jobs.names import JobNames
from nni_manager.training.jobs.orders import JobOrders, TrialRules
from nni_manager.training.jobs.outputs import (
    MOST_MOUNTED_BYTES,
    MOST_SENT_BYTES,
    JobOutputs,
    MountedSource,
    SentSource,
)
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.packing import Pack
from nni_manager.training.jobs.platform import (
    JobPlatform,
    JobState,
    PlatformAwayError,
    PlatformNotAnsweringError,
    ResultsViewer,
)
from nni_manager.training.jobs.pool import job_with_room
from nni_manager.training.jobs.pushed import PushedEvents
from nni_manager.training.jobs.record import JobRecord
from nni_manager.training.jobs.watching import SpoolWatch
from nni_manager.training.spool import JobSpool

logger = logging.getLogger(__name__)

JOB_DIRECTORY = "/tmp/nni"
"""What jobs make their folders in."""

_LOOKS_AT_WAITING = 3

NOTE_AGAIN_SECONDS = 2.0
"""After how long writing down jobs is tried again, when it failed."""


class JobHost:
    """Keeps the promises of training/host.py for trials in jobs.

    Attributes:
        name: The host: what its platform is called.
    """

    def __init__(
        self,
        *,
        platform: JobPlatform,
        experiment_id: str,
        experiment_directory: Path,
        rules: TrialRules,
        pack: Pack,
        emit: HostEmit,
        pace: Pace | None = None,
        job_directory: str = JOB_DIRECTORY,
        job_secrets: Callable[[str], Mapping[str, str]] = lambda job: {},
        pushed: PushedEvents | None = None,
    ) -> None:
        """Makes a host that has done nothing yet.

        Args:
            platform: Where jobs run.
            experiment_id: The experiment.
            experiment_directory: Its folder here, which exists.
            rules: How trials are run.
            pack: Packs what jobs are brought.
            emit: Gets the events.
            pace: How often things are looked at.
            job_directory: The folder that jobs make their own folders in.
            job_secrets: Returns variables of a job that nobody else is to see, by its name.
            pushed: What jobs tell over the network, None where they use the storage alone.

        Raises:
            TrainingServiceError: The experiment's mark cannot be read.
        """
        self.name = platform.name
        self._platform = platform
        self._mark = read_mark(experiment_directory)
        self._names = JobNames(experiment_id, self._mark)
        self._rules = rules
        self._pack = pack
        self._emit = emit
        self._pace = pace or Pace()
        self._orders = JobOrders(platform, experiment_id, rules, self._pace, job_directory, job_secrets)
        self._pushed = pushed
        self._trials_directory = experiment_directory.absolute() / "trials"
        self._record = JobRecord(experiment_directory)
        self._calls = PlatformCalls(self.name, self._pace, self._on_reachable)
        self._board = JobBoard(platform, self._names, self._calls, self._pace, self)
        self._watch: SpoolWatch | None = None
        self._outputs: JobOutputs | None = None
        self._bringing: Bringing | None = None
        self._written: set[str] = set()
        self._trials: dict[Key, Job] = {}
        self._last_job: dict[str, str] = {}
        self._started: set[Key] = set()
        self._runs: dict[Key, TrialRun] = {}
        self._pending: dict[Key, TrialRun] = {}
        self._placing: asyncio.Task[None] | None = None
        self._next_number = 0
        self._looks = 0
        self._is_released = False
        self._claim_timer: asyncio.TimerHandle | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def start(self) -> None:
        """Signs in, and brings what jobs need.

        Raises:
            PlatformNotAnsweringError: The platform does not answer; `start_once_answered` waits for it.
            TrainingServiceError: That is impossible; the text says why.
        """
        try:
            await self._start(self._pace.start_tries, None)
        except PlatformAwayError as error:
            kind = TrainingServiceError if error.can_be_repaired else PlatformNotAnsweringError
            raise kind(f"{self.name} does not answer: {told(error)}") from error

    async def start_once_answered(self, away: Callable[[str], None]) -> None:
        """Does that after `start` got no answer, however long it takes until there is one.

        Args:
            away: Gets the reason each time there is none.

        Raises:
            TrainingServiceError: That is impossible; the text says why.
        """
        await self._start(None, away)

    async def _start(self, tries: int | None, away: Callable[[str], None] | None) -> None:
        try:
            await self._calls.until_answered(self._platform.open, away, tries)
            self._orders.packed = await self._pack()
            self._orders.brought = await self._calls.until_answered(
                lambda: self._platform.prepare(self._orders.files), away, tries
            )
            await asyncio.to_thread(self._record.open)
            await self._board.open(tries, away)
            self._bringing = self._begin_bringing()
        except (OSError, SharedStorageError) as error:
            raise TrainingServiceError(f"{self.name}: {error}") from error
        self._next_number = self._names.next_number({*self._board.listed, *self._record.jobs()})
        files = self._platform.files
        self._watch = SpoolWatch(files, self._pace, self._listening, self.platform_failed)
        # Those of a pool are taken up at once, as more trials may go there.
        for name, report in self._board.listed.items():
            if self._names.is_pooled(name) and not report.state.is_over and self._rules.reuse_mode:
                self._job(name, pooled=True)

    async def report(self) -> HostReport:
        """Lists no GPU: the platform knows where jobs have theirs."""
        return HostReport((), "", time.time())

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""
        key = (run.trial_id, run.attempt)
        if key in self._trials or key in self._pending:
            return
        self._claim()
        self._is_released = False
        self._pending[key] = run
        if self._placing is None:
            name = f"giving trials to jobs of {self.name}"
            self._placing = tasks.begin(self._place_all(), name, self.platform_failed)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""
        key = (trial_id, attempt)
        if key in self._trials or key in self._pending:
            return
        self._claim()
        name = self._record.job_of(key)
        own = self._names.of_attempt(*key)
        if name is None and self._rules.reuse_mode and own not in self._board.listed:
            problem = "it never started: it was given to no job"
            asyncio.get_running_loop().call_soon(
                self._emit, TrialEnded(*key, at=time.time(), problem=problem)
            )
            return
        name = name or own
        job = self._job(name, pooled=self._names.is_pooled(name))
        job.is_submitted = job.is_seen = True  # by an earlier manager
        self._take_in(job, key)
        job.spool.adopt(trial_id, attempt, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial: by signals where its job runs, by the platform where it does not yet."""
        key = (trial_id, attempt)
        if self._pending.pop(key, None) is not None:
            self._emit(TrialEnded(*key, at=time.time(), problem="it was stopped before it started"))
            return
        job = self._trials.get(key)
        if job is None:
            return
        job.spool.cancel(trial_id, attempt, self._rules.stop_signal, self._rules.grace_seconds)
        listed = job.report or self._board.listed.get(job.name)
        has_run = job.has_run or (listed is not None and listed.state is not JobState.WAITING)
        if not has_run and job.trials == {key}:
            self._board.stop(job)
        else:
            seconds = 2 * self._rules.grace_seconds + self._pace.insist_seconds
            self._later(seconds, lambda: self._insist(key, job))

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""
        job = self._trials.get((trial_id, attempt))
        if job is not None:
            job.spool.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Says that no trial is coming: jobs without one end, and processes that wait for one."""
        self._claim()
        self._is_released = True
        for job in list(self._board.jobs.values()):
            if job.is_pooled and not job.is_ending:
                job.spool.release()
                if not job.trials:
                    self._end_idle(job)

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output, as its job names it."""
        name = self._last_job.get(trial_id) or self._names.of_attempt(trial_id, 0)
        return f"{self._orders.experiment_in(name)}/trials/{trial_id}"

    async def close(self) -> None:
        """Lets the platform go. Jobs with a trial go on, others end."""
        self._is_over = True
        has_ended = not self._trials and not self._pending
        for timer in (*self._timers, *filter(None, [self._claim_timer])):
            timer.cancel()
        self._pending.clear()
        if self._placing is not None:
            await asyncio.wait([self._placing])
        if self._watch is not None:
            await self._end_jobs()
            await self._watch.close()
        if self._bringing is not None:
            await self._bringing.close()
        await self._board.close()
        await asyncio.gather(*(job.spool.close() for job in self._board.jobs.values()), *self._closing)
        if has_ended and self._mark and self._claim_timer is not None and self._outputs is not None:
            await leave(self._platform, self._names.has, self._outputs.has_all)
        await self._platform.close()

    # Trials and jobs

    async def _place_all(self) -> None:
        """Gives trials to jobs, after what is ordered in the same step, so that adopted ones have theirs."""
        try:
            while self._pending and not self._is_over:
                await asyncio.sleep(0)
                batch = dict(self._pending)
                chosen = {key: self._choose(key) for key in batch}
                if self._rules.reuse_mode:
                    try:
                        new = {key: job.name for key, job in chosen.items()}
                        await asyncio.to_thread(self._record.add, new)
                    except OSError as error:
                        self._not_noted(list(chosen.values()), error)
                        await asyncio.sleep(NOTE_AGAIN_SECONDS)
                        continue
                for key, job in chosen.items():
                    run = self._pending.pop(key, None)
                    if run is None:  # canceled meanwhile
                        self._leave(job, key)
                    elif job.is_ending:
                        self._leave(job, key)
                        self._pending[key] = run
                    else:
                        self._launch(run, job)
        finally:
            self._placing = None

    def _choose(self, key: Key) -> Job:
        """Returns the job that a trial is given to, with the trial in it."""
        noted = self._record.job_of(key)
        if not self._rules.reuse_mode:
            job = self._job(noted or self._names.of_attempt(*key), pooled=False)
        elif noted is not None and key not in self._runs:
            job = self._job(noted, pooled=True)
        else:
            found = job_with_room(self._board.jobs.values(), key, self._rules.slots_per_job)
            job = found or self._new_pooled()
        job.trials.add(key)
        job.keep_busy()
        return job

    def _new_pooled(self) -> Job:
        name = self._names.of_pool(self._next_number)
        self._next_number += 1
        return self._job(name, pooled=True)

    def _job(self, name: str, *, pooled: bool) -> Job:
        """Returns what is known of a job, from now on if need be."""
        job = self._board.jobs.get(name)
        if job is None or (job.is_over and not job.trials):
            job = Job(name, self._spool(name), pooled)
            self._board.add(job)
            self._board.begin(job, self._open_spool(job))
            if pooled:
                self._becomes_idle(job)
        return job

    def _spool(self, name: str) -> JobSpool:
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

    async def _open_spool(self, job: Job) -> None:
        pause = self._pace.retry_seconds
        while True:
            try:
                await job.spool.open()
                return
            except SharedStorageError as error:
                logger.warning("job %s cannot be followed, trying again: %s", job.name, error)
                self.job_waits(job, str(error))
                await asyncio.sleep(min(pause, self._pace.most_retry_seconds))
                pause *= 2

    def _launch(self, run: TrialRun, job: Job) -> None:
        key = (run.trial_id, run.attempt)
        self._runs[key] = run
        self._take_in(job, key)
        job.spool.launch(*key, self._orders.launch(run, job))
        if not job.is_submitted and not job.is_ordered:
            self._board.submit(job, partial(self._orders.job, job))

    def _take_in(self, job: Job, key: Key) -> None:
        job.trials.add(key)
        job.keep_busy()
        self._trials[key] = job
        self._last_job[key[0]] = job.name
        if self._watch is not None:
            self._watch.want()

    def _leave(self, job: Job, key: Key) -> None:
        """Takes note that a trial is not in a job any more."""
        job.trials.discard(key)
        if job.trials:
            return
        if job.is_over or not (job.is_submitted or job.is_ordered):
            self._forget(job)
        elif job.is_pooled:
            self._becomes_idle(job)
        else:
            # It ends by itself, soon.
            seconds = 2 * self._rules.grace_seconds + self._pace.insist_seconds
            self._later(seconds, lambda: self._board.stop(job) if not job.trials else None)
            self._board.look_soon()

    def _becomes_idle(self, job: Job) -> None:
        job.keep_busy()
        if self._claim_timer is None:
            return  # it may have a trial that nobody has asked for yet
        if self._is_released:
            self._end_idle(job)
        elif not self._is_over:
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
        seconds = 2 * self._rules.grace_seconds + self._pace.insist_seconds
        self._later(seconds, lambda: self._board.stop(job))
        self._board.look_soon()

    def _forget(self, job: Job) -> None:
        job.keep_busy()
        self._board.forget(job)
        if self._pushed is not None:
            self._pushed.forget(job.name)
        self._have_done(job.spool.close(), f"end of the spool of {job.name}")

    def _have_done(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Has something done that `close` waits for."""
        task = asyncio.create_task(work, name=name)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _insist(self, key: Key, job: Job) -> None:
        """Has the job of a canceled trial stopped that goes on."""
        if self._trials.get(key) is job and job.trials == {key}:
            logger.warning("trial %s was canceled and goes on; its job %s is stopped", key[0], job.name)
            self._board.stop(job)

    async def _end_jobs(self) -> None:
        """Ends the jobs that have no trial, those of an earlier manager that nobody asked for among them."""
        if self._claim_timer is None:
            return
        self._stop_unclaimed()
        idle = [job for job in self._board.jobs.values() if not job.trials and not job.is_over]
        for job in idle:
            self._end_idle(job)
        if idle:
            await self._board.ended(idle, 2 * self._rules.grace_seconds + self._pace.close_seconds)

    # What is heard

    def _listening(self) -> dict[str, JobSpool]:
        """Returns the spools that may have something to tell; those of jobs that wait are named seldom."""
        self._looks += 1
        everything = self._looks % _LOOKS_AT_WAITING == 0
        return {
            job.name: job.spool
            for job in self._board.jobs.values()
            if job.trials
            and (everything or job.report is None or job.report.state is not JobState.WAITING)
            and any(key in self._trials for key in job.trials)
        }

    def _on_event(self, name: str, event: TrainingEvent) -> None:
        """Takes what a job's spool says."""
        if isinstance(event, TrainingServiceFailed):
            self._emit(event)
            return
        key = (event.trial_id, event.attempt)
        job = self._trials.get(key)
        if job is None or job.name != name:
            return
        if isinstance(event, TrialStarted):
            job.has_run = True
            self._started.add(key)
            self._runs.pop(key, None)
        elif isinstance(event, TrialEnded):
            if not self._goes_elsewhere(key, job, event):
                self._finish(key, job, event)
            return
        self._emit(event)
        if isinstance(event, TrialReported) and isinstance(self._platform, ResultsViewer):
            self._platform.show_results(name, event)

    def _finish(self, key: Key, job: Job, end: TrialEnded) -> None:
        """Tells the end of a trial once its files are here."""
        if self._bringing is None or key not in self._started:
            self._ended(key, job)
            self._emit(end)
            return

        def tell() -> None:
            if job.is_pooled:
                job.last_trials = [*job.last_trials, key[0]][-2 * self._rules.slots_per_job :]
            self._ended(key, job)
            self._emit(end)

        self._bringing.finish(key[0], tell)

    def _begin_bringing(self) -> Bringing:
        local = self._platform.storage.local_trials_directory
        if local is not None:
            local.mkdir(mode=0o700, parents=True, exist_ok=True)  # ours, not that of the first job
        source = SentSource(self._platform.files) if local is None else MountedSource(local)
        most = MOST_SENT_BYTES if local is None else MOST_MOUNTED_BYTES
        self._outputs = outputs = JobOutputs(source, self.name, self._trials_directory, most)
        return Bringing(outputs, self._pace, self._growing)

    def _growing(self) -> set[str]:
        """Returns the trials whose logs may have grown."""
        if self._platform.storage.local_trials_directory is None:
            written, self._written = self._written, set()
            return written
        late = {trial_id for job in self._board.jobs.values() for trial_id in job.last_trials}
        return late | {trial_id for trial_id, _ in self._started}

    def _ended(self, key: Key, job: Job) -> None:
        del self._trials[key]
        self._started.discard(key)
        self._runs.pop(key, None)
        self._leave(job, key)

    def _goes_elsewhere(self, key: Key, job: Job, end: TrialEnded) -> bool:
        """Gives a trial to another job that came too late to one that ended by itself."""
        run = self._runs.get(key)
        report = job.report
        missed = job.is_pooled and job.is_over and report is not None and report.state is JobState.SUCCEEDED
        if not missed or run is None or end.exit_code is not None or end.signal is not None:
            return False
        logger.info("job %s ended before trial %s came to it, which is given to another", job.name, key[0])
        self._ended(key, job)
        self._runs[key] = run  # its place on record does not count
        self.submit(run)
        return True

    def job_waits(self, job: Job, reason: str) -> None:
        """Tells the trials of a job that have not started why."""
        if self._watch is not None:
            self._watch.want()
        for key in job.trials:
            if key in self._trials and key not in self._started:
                self._emit(TrialWaits(*key, reason))

    def job_is_over(self, job: Job, problem: str, stderr_tail: str, settle_seconds: float) -> None:
        """Has the trials end that are in a job which has ended."""
        job.keep_busy()
        if job.last_trials and self._bringing is not None:
            self._have_done(self._bringing.last(job.last_trials), f"last words of job {job.name}")
        job.spool.job_ended(problem, stderr_tail, settle_seconds)
        if not job.trials:
            self._forget(job)

    def platform_failed(self, message: str) -> None:
        """Tells that the platform cannot be used any more."""
        self._emit(TrainingServiceFailed(message, at=time.time()))

    def _on_reachable(self, reachable: bool, reason: str) -> None:
        self._emit(HostChanged(self.name, reachable, time.time(), reason))

    # Jobs of an earlier manager

    def _claim(self) -> None:
        """Takes note that the engine has begun to ask for what it knows."""
        if self._claim_timer is None and not self._is_over:
            loop = asyncio.get_running_loop()
            self._claim_timer = loop.call_later(self._pace.claim_seconds, self._stop_unclaimed)
            for job in self._board.jobs.values():
                if job.is_pooled and not job.trials:
                    self._becomes_idle(job)

    def _stop_unclaimed(self) -> None:
        for name, report in self._board.listed.items():
            if name not in self._board.jobs and not report.state.is_over:
                logger.info("job %s is left from before and is stopped", name)
                self._board.stop_name(name)

    def _not_noted(self, jobs: list[Job], error: OSError) -> None:
        logger.error("no trial can be started: which job it goes to cannot be noted: %s", error)
        for key in self._pending:
            reason = f"the experiment's folder cannot be written: {error.strerror or error}"
            self._emit(TrialWaits(*key, reason))
        for job in jobs:
            job.trials -= self._pending.keys()
            if not job.trials and not job.is_submitted:
                self._forget(job)

    def _later(self, seconds: float, what: Callable[[], object]) -> None:
        if self._is_over:
            return
        now = asyncio.get_running_loop().time()
        self._timers = [timer for timer in self._timers if timer.when() > now]
        self._timers.append(asyncio.get_running_loop().call_later(seconds, what))
