"""Runs one experiment: events to the engine, writes to the storage, then actions to the world."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from nni_manager.engine.effects import (
    AcknowledgeReports,
    Action,
    CancelTrial,
    SaveExperiment,
    SaveMetrics,
    SubmitTrial,
    ToAssessor,
    ToTuner,
    Write,
)
from nni_manager.engine.engine import Engine, StepResult
from nni_manager.engine.events import AlgorithmFailed, Event, Report, TimePassed, TrialReported
from nni_manager.engine.limits import Limits
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus
from nni_manager.experiments.event_queue import EventQueue, QueuedEvent
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.late_reports import late_metrics
from nni_manager.experiments.storage_trouble import StorageTrouble
from nni_manager.experiments.summary_file import SummaryFile
from nni_manager.storage.interface import BatchRefusedError, Storage, StorageError
from nni_manager.training.interface import TrainingService, TrialRun
from nni_manager.tuning.interface import Algorithm

_LOG = logging.getLogger(__name__)
_STORAGE_RETRY_SECONDS = 1.0
_ENDED = (ExperimentStatus.DONE, ExperimentStatus.STOPPED, ExperimentStatus.ERROR)


class ExperimentRunner:
    """Drives the engine of one experiment and carries out what it wants.

    Everything runs in one event loop; only commits are made in a thread. Nothing acts on the world before
    what it follows from is stored.
    """

    def __init__(
        self,
        record: ExperimentRecord,
        limits: Limits,
        storage: Storage,
        folder: ExperimentFolder,
        *,
        has_assessor: bool,
    ) -> None:
        """Makes the runner of an experiment whose record is stored in its folder."""
        self.queue = EventQueue()
        self._engine = Engine(record, limits, has_assessor=has_assessor)
        self._storage = storage
        self._folder = folder
        self._is_recorded = True
        self._committed = (record, storage.revision())
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._changed = asyncio.Event()
        self._trouble = StorageTrouble()
        self._summary = SummaryFile(record, storage, folder)
        self._training: TrainingService | None = None
        self._tuner: Algorithm | None = None
        self._assessor: Algorithm | None = None
        self._trial_environment: Callable[[str], dict[str, str]] = lambda trial_id: {}
        self._submitted: Callable[[], None] = lambda: None
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
        """Whether there is a trial of this id that has not ended."""
        return self._engine.active_trial(trial_id) is not None

    def reserve_call_number(self) -> int:
        """Returns the number for a call to the tuner that is made beside the engine."""
        return self._engine.reserve_call_number()

    async def start(
        self,
        training: TrainingService,
        tuner: Algorithm,
        assessor: Algorithm | None,
        trial_environment: Callable[[str], dict[str, str]],
        submitted: Callable[[], None],
    ) -> None:
        """Starts the experiment on parts that are ready; returns once that is stored.

        Args:
            training: Where its trials run.
            tuner: Proposes parameters.
            assessor: Judges trials, None when nobody does.
            trial_environment: Returns what is added to the environment of a trial.
            submitted: Called after each trial that is submitted.
        """
        self._training, self._tuner, self._assessor = training, tuner, assessor
        self._trial_environment, self._submitted = trial_environment, submitted
        await self._carry_out([self._engine.start(time.time())])
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
                steps.append(self._engine.step(together[:-1], now))
                step = self._engine.step(together[-1:], now)
                steps.append(step)
                waiting.append((item.stored, step))
                together = []
        if together:
            steps.append(self._engine.step(together, now))
        late_counts = await self._carry_out(steps)
        for future, step in waiting:
            if not future.done():
                count = sum(len(write.metrics) for write in step.writes if isinstance(write, SaveMetrics))
                future.set_result(count + late_counts.get(id(step), 0))

    async def _carry_out(self, steps: list[StepResult]) -> dict[int, int]:
        """Stores, then acts. Returns how many late results were stored for each step, by its id()."""
        had_ended = self.has_ended
        await self._commit([write for step in steps for write in step.writes])
        late_counts: dict[int, int] = {}
        for step in steps:
            for event in step.late_reports:
                late_counts[id(step)] = late_counts.get(id(step), 0) + await self._store_late(event)
        for step in steps:
            for action in step.actions:
                self._act(action)
        if self.has_ended and not had_ended and self._training is not None:
            self._training.release()
        return late_counts

    async def _store_late(self, event: TrialReported) -> int:
        loop = asyncio.get_running_loop()
        write = await loop.run_in_executor(self._writer, late_metrics, self._storage, event)
        if write is None:
            _LOG.warning("results for unknown trial %s are ignored", event.trial_id)
            return 0
        await self._commit([write])
        if event.end_offset is not None:
            self._act(AcknowledgeReports(event.trial_id, event.attempt, event.end_offset))
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
        revision = self._storage.commit(writes)
        self._summary.stored(writes)
        return revision, self._folder.exists()

    def _act(self, action: Action) -> None:
        training, tuner = self._training, self._tuner
        if training is None or tuner is None:
            raise RuntimeError("an experiment that was not started cannot act")
        match action:
            case SubmitTrial():
                training.submit(
                    TrialRun(
                        trial_id=action.trial_id,
                        attempt=action.attempt,
                        sequence_number=action.sequence_number,
                        parameter_id=action.parameter_id,
                        parameters=action.parameters,
                        environment=self._trial_environment(action.trial_id),
                    )
                )
                self._submitted()
            case CancelTrial():
                training.cancel(action.trial_id, action.attempt)
            case AcknowledgeReports():
                training.acknowledge(action.trial_id, action.attempt, action.offset)
            case ToTuner():
                tuner.tell(action.call)
            case ToAssessor():
                if self._assessor is not None:
                    self._assessor.tell(action.call)
