"""Runs one experiment: events to the engine, writes to the storage, then actions to the world."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from nni_manager.engine.effects import AcknowledgeReports, SaveExperiment, SaveMetrics, Write
from nni_manager.engine.engine import Engine, StepResult
from nni_manager.engine.events import AlgorithmFailed, Event, Report, TimePassed, TrialReported
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus, MetricKind
from nni_manager.experiments import crash_points
from nni_manager.experiments.event_queue import EventQueue, QueuedEvent
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.late_reports import late_metrics
from nni_manager.experiments.performer import Performer
from nni_manager.experiments.storage_trouble import StorageTrouble
from nni_manager.experiments.summary_file import SummaryFile
from nni_manager.storage.interface import BatchRefusedError, Storage, StorageError

_LOG = logging.getLogger(__name__)
_STORAGE_RETRY_SECONDS = 1.0
_ENDED = (ExperimentStatus.DONE, ExperimentStatus.STOPPED, ExperimentStatus.ERROR)


class ExperimentRunner:
    """Drives the engine of one experiment and carries out what it wants.

    Everything runs in one event loop; only commits are made in a thread. Nothing acts on the world before
    what it follows from is stored.
    """

    def __init__(self, record: ExperimentRecord, storage: Storage, folder: ExperimentFolder) -> None:
        """Makes the runner of an experiment whose record is stored in its folder; it does not run yet."""
        self.queue = EventQueue()
        self._storage = storage
        self._folder = folder
        self._is_recorded = True
        self._committed = (record, storage.revision())
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._changed = asyncio.Event()
        self._trouble = StorageTrouble()
        self._summary = SummaryFile(record, storage, folder)
        self._started: tuple[Engine, Performer] | None = None
        self._loop_task: asyncio.Task[None] | None = None

    @property
    def record(self) -> ExperimentRecord:
        """The experiment as last stored."""
        return self._committed[0]

    @property
    def trouble(self) -> str:
        """Why the record cannot be written at the moment, "" when it can."""
        return self._trouble.message

    @property
    def committed(self) -> tuple[ExperimentRecord, int]:
        """The experiment as last stored, and the revision of the last commit that is known here.

        The storage may be a commit ahead.
        """
        return self._committed

    @property
    def is_running(self) -> bool:
        """Whether it was started."""
        return self._loop_task is not None

    @property
    def has_ended(self) -> bool:
        """Whether the experiment is over, as stored."""
        return self.record.status in _ENDED

    def is_active(self, trial_id: str) -> bool:
        """Whether there is a trial of this id that runs or waits here."""
        return self._started is not None and self._engine.active_trial(trial_id) is not None

    def reserve_call_number(self) -> int:
        """Returns the number for a call to the tuner that is made beside the engine."""
        return self._engine.reserve_call_number()

    def why_no_trial(self) -> str | None:
        """Returns why no trial may be created now, None when one may be."""
        return self._engine.why_no_trial(time.time())

    async def start(self, engine: Engine, first: StepResult, performer: Performer) -> None:
        """Starts, or goes on; returns once that is stored.

        Args:
            engine: Decides what happens.
            first: Its first step.
            performer: The parts that it acts through, ready.
        """
        self._started = engine, performer
        await self._carry_out([first])
        self._loop_task = asyncio.create_task(self._run(), name="experiment")

    async def report(self, trial_id: str, attempt: int, reports: Sequence[Report]) -> int:
        """Stores results and returns, once they are durable, how many were new."""
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.queue.put(TrialReported(trial_id, attempt, tuple(reports)), stored)
        return await self._trouble.wait_for(stored)

    async def settle(self, event: Event) -> None:
        """Tells the engine something and returns once what it changes is stored."""
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.queue.put(event, stored)
        await self._trouble.wait_for(stored)

    async def catch_up(self) -> None:
        """Returns once everything that was told before is dealt with and stored, however long that takes."""
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.queue.put(TimePassed(time.time()), stored)
        await stored

    async def save(self, record: ExperimentRecord) -> None:
        """Stores the experiment as it is, outside the engine; only while it does not run."""
        await self._commit([SaveExperiment(record)])

    def next_change(self) -> asyncio.Event:
        """Returns an event that is set by the next commit. Take it before reading, wait for it after."""
        return self._changed

    async def wait_until_ended(self) -> None:
        """Returns once the experiment is over; raises StorageFailedError when its end cannot be stored."""
        while not self.has_ended:
            await self._trouble.wait_for(self.next_change().wait())

    async def close(self) -> None:
        """Stops driving the engine. What was told before is dealt with first."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.wait([self._loop_task])
        self._writer.shutdown()

    @property
    def _engine(self) -> Engine:
        return self._running()[0]

    @property
    def _performer(self) -> Performer:
        return self._running()[1]

    def _running(self) -> tuple[Engine, Performer]:
        if self._started is None:
            raise RuntimeError("an experiment that was not started cannot do anything")
        return self._started

    async def _run(self) -> None:
        while True:
            wakeup = self._engine.next_wakeup()
            timeout = None if wakeup is None else max(0.0, wakeup - time.time())
            queued = await self.queue.take_all(timeout)
            now = time.time()
            if not queued:
                queued = [QueuedEvent(TimePassed(now))]
            try:
                await self._deal_with(queued, now)
            except Exception as error:
                _LOG.exception("a fault of the manager")
                await self._fail(queued, error, now)

    async def _fail(self, queued: list[QueuedEvent], error: Exception, now: float) -> None:
        """Ends the experiment as ERROR after a fault of the manager itself, so that it can be resumed."""
        for item in queued:
            if item.stored is not None and not item.stored.done():
                item.stored.set_exception(error)
        fault = AlgorithmFailed("manager", repr(error), "".join(traceback.format_exception(error)), now)
        await self._carry_out([self._engine.step([fault], now)])

    async def _deal_with(self, queued: list[QueuedEvent], now: float) -> None:
        steps: list[StepResult] = []
        waiting: list[tuple[asyncio.Future[int], StepResult]] = []
        together: list[Event] = []
        for item in queued:
            together.append(item.event)
            if item.stored is not None:
                if before := together[:-1]:
                    steps.append(self._engine.step(before, now))
                step = self._engine.step(together[-1:], now)
                steps.append(step)
                waiting.append((item.stored, step))
                together = []
        if together:
            steps.append(self._engine.step(together, now))
        is_heartbeat = not waiting and [type(item.event) for item in queued] == [TimePassed]
        point = ("heartbeat",) if is_heartbeat else ()
        crash_points.before(*point)
        late_counts = await self._carry_out(steps)
        crash_points.after(*point)
        for future, step in waiting:
            if not future.done():
                count = sum(len(write.metrics) for write in step.writes if isinstance(write, SaveMetrics))
                future.set_result(count + late_counts.get(id(step), 0))

    async def _carry_out(self, steps: list[StepResult]) -> dict[int, int]:
        """Stores, then acts. Returns how many late results were stored for each step, by its id()."""
        had_ended = self.has_ended
        writes = [write for step in steps for write in step.writes]
        await self._commit(writes)
        _log_ignored_results(writes)
        late_counts: dict[int, int] = {}
        for step in steps:
            for event in step.late_reports:
                late_counts[id(step)] = late_counts.get(id(step), 0) + await self._store_late(event)
        for step in steps:
            for action in step.actions:
                self._performer.act(action)
        if self.has_ended and not had_ended:
            self._performer.release()
        return late_counts

    async def _store_late(self, event: TrialReported) -> int:
        loop = asyncio.get_running_loop()
        write = await loop.run_in_executor(self._writer, late_metrics, self._storage, event)
        if write is None:
            _LOG.warning("results for unknown trial %s are ignored", event.trial_id)
            return 0
        crash_points.before("late-results")
        await self._commit([write])
        crash_points.after("late-results")
        if write.metrics:
            _LOG.info(
                "trial %s reported %s results after its end: they are stored and change nothing else",
                event.trial_id,
                len(write.metrics),
            )
        if event.end_offset is not None:
            self._performer.act(AcknowledgeReports(event.trial_id, event.attempt, event.end_offset))
        return len(write.metrics)

    async def _commit(self, writes: list[Write]) -> None:
        """Stores a batch, and tries again for as long as the storage fails: nothing is acted on meanwhile."""
        if not writes:
            return
        loop = asyncio.get_running_loop()
        while True:
            try:
                revision, is_recorded = await loop.run_in_executor(self._writer, self._store, writes)
                break
            except BatchRefusedError:
                raise
            except StorageError as error:
                self._trouble.failed(str(error))
                _LOG.error("the record cannot be written, trying again in 1 s: %s", error)
                await asyncio.sleep(_STORAGE_RETRY_SECONDS)
        self._trouble.over()
        record = self.record
        for write in writes:
            if isinstance(write, SaveExperiment):
                record = write.record
        self._committed = (record, revision)
        self._changed.set()
        self._changed = asyncio.Event()
        if self._is_recorded and not is_recorded:
            # A deleted file can still be written to, and all of it is lost when the manager ends.
            self._is_recorded = False
            message = f"{self._folder.database} was deleted or moved while the experiment ran"
            _LOG.error("the record is lost: %s", message)
            self.queue.put(AlgorithmFailed("record", message, "", time.time()))

    def _store(self, writes: list[Write]) -> tuple[int, bool]:
        stored = crash_points.kinds(writes)
        crash_points.before(*stored)
        revision = self._storage.commit(writes)
        crash_points.after(*stored)
        self._summary.stored(writes)
        return revision, self._folder.exists()


def _log_ignored_results(writes: list[Write]) -> None:
    for write in writes:
        if not isinstance(write, SaveMetrics):
            continue
        for metric in write.metrics:
            if metric.kind is MetricKind.FINAL and metric.index > 0:
                _LOG.info(
                    "trial %s reported another final result, %r; the first one counts, this one is stored",
                    metric.trial_id,
                    metric.value,
                )
