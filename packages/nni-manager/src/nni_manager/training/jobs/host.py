"""Runs trials in jobs of a platform: one for each attempt, or a pool that takes trial after trial."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

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
from nni_manager.training.jobs.board import JobBoard
from nni_manager.training.jobs.bringing import Bringing
from nni_manager.training.jobs.calls import PlatformCalls, told
from nni_manager.training.jobs.claiming import Claims
from nni_manager.training.jobs.experiment_mark import read_mark
from nni_manager.training.jobs.giving import Giving
from nni_manager.training.jobs.job import Job, Key
from nni_manager.training.jobs.keeping import JobKeeper
from nni_manager.training.jobs.leaving import leave
from nni_manager.training.jobs.names import JobNames
from nni_manager.training.jobs.orders import JobOrders, TrialRules
from nni_manager.training.jobs.outputs import JobOutputs, source_of
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.packing import Pack
from nni_manager.training.jobs.platform import (
    JobPlatform,
    JobState,
    PlatformAwayError,
    PlatformNotAnsweringError,
    ResultsViewer,
)
from nni_manager.training.jobs.pushed import PushedEvents
from nni_manager.training.jobs.record import JobRecord
from nni_manager.training.jobs.spools import JobSpools
from nni_manager.training.jobs.timers import Timers
from nni_manager.training.jobs.trials import TrialsInJobs
from nni_manager.training.jobs.watching import SpoolWatch
from nni_manager.training.spool import JobSpool

logger = logging.getLogger(__name__)

JOB_DIRECTORY = "/tmp/nni"
"""What jobs make their folders in."""

_LOOKS_AT_WAITING = 3


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
        service: int = 0,
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
            service: Which of the experiment's training services it is.

        Raises:
            TrainingServiceError: The experiment's mark cannot be read.
        """
        self.name = platform.name
        self._platform = platform
        self._mark = read_mark(experiment_directory)
        self._names = JobNames(experiment_id, self._mark, service)
        self._rules = rules
        self._pack = pack
        self._emit = emit
        self._pace = pace or Pace()
        self._orders = JobOrders(platform, experiment_id, rules, self._pace, job_directory, job_secrets)
        self._trials_directory = experiment_directory.absolute() / "trials"
        self._record = JobRecord(experiment_directory)
        self._calls = PlatformCalls(self.name, self._pace, self._on_reachable)
        self._board = JobBoard(platform, self._names, self._calls, self._pace, self)
        self._claims = Claims(self._board, self._pace)
        self._timers = Timers()
        self._spools = JobSpools(platform, pushed, self._pace, self._on_event, self.job_waits)
        self._keeper = JobKeeper(self._board, self._spools, self._claims, self._timers, rules, self._pace)
        self._giving = Giving(
            platform_name=self.name,
            board=self._board,
            keeper=self._keeper,
            names=self._names,
            record=self._record,
            rules=rules,
            launch=self._launch,
            waits=lambda key, reason: emit(TrialWaits(*key, reason)),
            broke=self.platform_failed,
        )
        self._trials = TrialsInJobs()
        self._watch: SpoolWatch | None = None
        self._outputs: JobOutputs | None = None
        self._bringing: Bringing | None = None
        self._looks = 0

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
            source, most_bytes = source_of(self._platform)
        except (OSError, SharedStorageError) as error:
            raise TrainingServiceError(f"{self.name}: {error}") from error
        self._outputs = JobOutputs(source, self.name, self._trials_directory, most_bytes)
        self._bringing = Bringing(self._outputs, self._pace, self._growing)
        self._giving.open()
        files = self._platform.files
        self._watch = SpoolWatch(files, self._pace, self._listening, self.platform_failed)
        # Those of a pool are taken up at once, as more trials may go there.
        for name, report in self._board.listed.items():
            if self._names.is_pooled(name) and not report.state.is_over and self._rules.reuse_mode:
                self._keeper.job(name, pooled=True)

    async def report(self) -> HostReport:
        """Lists no GPU: the platform knows where jobs have theirs."""
        return HostReport((), "", time.time())

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""
        if self._knows((run.trial_id, run.attempt)):
            return
        self._claims.take()
        self._keeper.expect()
        self._giving.add(run)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart; one that never started ends with a problem."""
        key = (trial_id, attempt)
        if self._knows(key):
            return
        self._claims.take()
        name = self._record.job_of(key)
        own = self._names.of_attempt(*key)
        if name is None and self._rules.reuse_mode and own not in self._board.listed:
            problem = "it never started: it was given to no job"
            asyncio.get_running_loop().call_soon(
                self._emit, TrialEnded(*key, at=time.time(), problem=problem)
            )
            return
        name = name or own
        job = self._keeper.job(name, pooled=self._names.is_pooled(name))
        job.is_submitted = job.is_seen = True  # by an earlier manager
        self._take_in(job, key)
        job.spool.adopt(trial_id, attempt, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial: by signals where its job runs, by the platform where it does not yet."""
        key = (trial_id, attempt)
        if self._giving.remove(key):
            self._emit(TrialEnded(*key, at=time.time(), problem="it was stopped before it started"))
            return
        job = self._trials.jobs.get(key)
        if job is None:
            return
        job.spool.cancel(trial_id, attempt, self._rules.stop_signal, self._rules.grace_seconds)
        self._trials.canceled.add(key)
        listed = job.report or self._board.listed.get(job.name)
        has_run = job.has_run or (listed is not None and listed.state is not JobState.WAITING)
        if not has_run and job.trials <= self._trials.canceled:
            self._stop(job)
        else:
            self._timers.later(self._keeper.patience, lambda: self._insist(key, job))

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that a trial's results are stored up to this position of its report file."""
        job = self._trials.jobs.get((trial_id, attempt))
        if job is not None:
            job.spool.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Says that no trial is coming: jobs without one end, and processes that wait for one."""
        self._claims.take()
        self._keeper.release()

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output, as its job names it."""
        name = self._trials.last_jobs.get(trial_id) or self._names.of_attempt(trial_id, 0)
        return f"{self._orders.experiment_in(name)}/trials/{trial_id}"

    async def close(self) -> None:
        """Lets the platform go. Jobs with a trial go on, others end."""
        has_ended = not self._trials.jobs and not self._giving
        self._timers.cancel()
        self._claims.close()
        await self._giving.close()
        if self._watch is not None:
            await self._keeper.end_idle()
            await self._watch.close()
        if self._bringing is not None:
            await self._bringing.close()
        await self._board.close()
        await self._keeper.close()
        if has_ended and self._mark and self._claims.have_begun and self._outputs is not None:
            await leave(self._platform, self._names.has, self._outputs.has_all)
        await self._platform.close()

    # Trials in jobs

    def _knows(self, key: Key) -> bool:
        return key in self._trials.jobs or key in self._giving

    def _launch(self, run: TrialRun, job: Job) -> None:
        key = (run.trial_id, run.attempt)
        self._trials.runs[key] = run
        self._take_in(job, key)
        job.spool.launch(*key, self._orders.launch(run, job))
        if not job.is_submitted and not job.is_ordered:
            self._board.submit(job, partial(self._orders.job, job))

    def _take_in(self, job: Job, key: Key) -> None:
        self._trials.add(key, job)
        if self._watch is not None:
            self._watch.want()

    def _insist(self, key: Key, job: Job) -> None:
        """Has the job of a canceled trial stopped that goes on, unless others are in it."""
        if self._trials.jobs.get(key) is job and job.trials <= self._trials.canceled:
            logger.warning("trial %s was canceled and goes on; its job %s is stopped", key[0], job.name)
            self._stop(job)

    def _stop(self, job: Job) -> None:
        """Has a job stopped all of whose trials were canceled."""
        self._board.stop(job)
        for key in list(job.trials):
            self._timers.later(self._pace.cancel_seconds, partial(self._give_up, key, job))

    def _give_up(self, key: Key, job: Job) -> None:
        """Tells the end of a canceled trial whose job cannot be stopped, since the platform is away."""
        if self._trials.jobs.get(key) is not job:
            return
        if not self._calls.away:
            self._timers.later(self._pace.cancel_seconds, partial(self._give_up, key, job))
            return
        problem = f"it was canceled while {self.name} does not answer: {self._calls.away}; "
        problem += "its job is stopped when there is an answer"
        self._ended(key, job)
        self._emit(TrialEnded(*key, at=time.time(), problem=problem))

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
            and any(key in self._trials.jobs for key in job.trials)
        }

    def _on_event(self, name: str, event: TrainingEvent) -> None:
        """Takes what a job's spool says."""
        if isinstance(event, TrainingServiceFailed):
            self._emit(event)
            return
        key = (event.trial_id, event.attempt)
        job = self._trials.jobs.get(key)
        if job is None or job.name != name:
            return
        if isinstance(event, TrialStarted):
            job.has_run = True
            self._trials.start(key)
        elif isinstance(event, TrialEnded):
            if not self._goes_elsewhere(key, job, event):
                self._finish(key, job, event)
            return
        self._emit(event)
        if isinstance(event, TrialReported) and isinstance(self._platform, ResultsViewer):
            self._platform.show_results(name, event)

    def _finish(self, key: Key, job: Job, end: TrialEnded) -> None:
        """Tells the end of a trial once its files are here."""
        if self._bringing is None or key not in self._trials.started:
            self._ended(key, job)
            self._emit(end)
            return

        def tell() -> None:
            if job.is_pooled:
                job.last_trials = [*job.last_trials, key[0]][-2 * self._rules.slots_per_job :]
            self._ended(key, job)
            self._emit(end)

        self._bringing.finish(key[0], tell)

    def _growing(self) -> set[str]:
        """Returns the trials whose logs may have grown."""
        if self._platform.storage.local_trials_directory is None:
            return self._spools.take_written()
        late = {trial_id for job in self._board.jobs.values() for trial_id in job.last_trials}
        return late | {trial_id for trial_id, _ in self._trials.started}

    def _ended(self, key: Key, job: Job) -> None:
        self._trials.remove(key)
        self._keeper.leave(job, key)

    def _goes_elsewhere(self, key: Key, job: Job, end: TrialEnded) -> bool:
        """Gives a trial to another job that came too late to one that ended by itself."""
        run = self._trials.runs.get(key)
        report = job.report
        missed = job.is_pooled and job.is_over and report is not None and report.state is JobState.SUCCEEDED
        if not missed or run is None or end.exit_code is not None or end.signal is not None:
            return False
        logger.info("job %s ended before trial %s came to it, which is given to another", job.name, key[0])
        self._ended(key, job)
        self._keeper.expect()
        self._giving.add_again(run)
        return True

    def job_waits(self, job: Job, reason: str) -> None:
        """Tells the trials of a job that have not started why."""
        if self._watch is not None:
            self._watch.want()
        for key in job.trials:
            if key in self._trials.jobs and key not in self._trials.started:
                self._emit(TrialWaits(*key, reason))

    def job_is_over(self, job: Job, problem: str, stderr_tail: str, settle_seconds: float) -> None:
        """Has the trials end that are in a job which has ended."""
        job.keep_busy()
        if job.last_trials and self._bringing is not None:
            self._keeper.have_done(self._bringing.last(job.last_trials), f"last words of job {job.name}")
        job.spool.job_ended(problem, stderr_tail, settle_seconds)
        if not job.trials:
            self._keeper.forget(job)

    def platform_failed(self, message: str) -> None:
        """Tells that the platform cannot be used any more."""
        self._emit(TrainingServiceFailed(message, at=time.time()))

    def _on_reachable(self, reachable: bool, reason: str) -> None:
        self._emit(HostChanged(self.name, reachable, time.time(), reason))
