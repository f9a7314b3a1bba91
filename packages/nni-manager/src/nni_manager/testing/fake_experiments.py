"""An application service that runs nothing: it keeps what it is told in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nni_config import ExperimentConfig
from nni_config.experiment_folders import FolderKind, FolderSummary
from nni_config.local_state import ManagerRecord

from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.events import Report
from nni_manager.engine.records import EndReason, ExperimentRecord, MetricRecord, TrialRecord
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, ParameterSource, TrialStatus
from nni_manager.experiments.errors import (
    ExperimentAlreadyExistsError,
    ExperimentNotFoundError,
    TrialNotFoundError,
    WrongExperimentStatusError,
)
from nni_manager.experiments.list_watching import ListChange, WatchedList
from nni_manager.experiments.listing import ListedExperiment
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.experiments.summary_file import summary_of
from nni_manager.experiments.views import UNCHANGED, Change, ExperimentUpdate, ExperimentView, TrialView
from nni_manager.storage.interface import Storage, StoredMetric, StoredTrial
from nni_manager.storage.memory import MemoryStorage

_Result = TypeVar("_Result")

_DIRECTORY = "/experiments/fake"


class FakeExperiments:
    """Implements FolderCalls (experiments/interface.py) for one experiment.

    Attributes:
        failure: Raised by every call when it is not None.
        updates: What `update` was called with.
        resumed_with: What `resume` was called with.
        imported: What `import_trials` was called with, by request.
        closed: Is set when the experiment was stopped or closed.
    """

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.updates: list[ExperimentUpdate] = []
        self.resumed_with: list[ExperimentConfig | None] = []
        self.imported: dict[str, list[dict[str, Any]]] = {}
        self.closed = asyncio.Event()
        self._record: ExperimentRecord | None = None
        self._trials: dict[str, StoredTrial] = {}
        self._metrics: list[StoredMetric] = []
        self._reporters: dict[tuple[str, int, str], int] = {}
        self._revision = 0
        self._changed = asyncio.Event()

    async def reader(self, experiment_id: str) -> ExperimentReader:
        """Returns what reads the experiment and its trials as they are now; there are no results."""
        record, storage = self._check(experiment_id), MemoryStorage()
        storage.commit([SaveExperiment(record), *(SaveTrial(it.record) for it in self._trials.values())])
        return _MemoryReader(storage, record, self._revision)

    async def listed(self) -> list[ListedExperiment]:
        """Returns the experiment, as if it ran nowhere."""
        record = self._record
        self._fail()
        if record is None:
            return []
        path = Path(_DIRECTORY)
        summary = summary_of(record, MemoryStorage())
        folder = FolderSummary(record.experiment_id, path, FolderKind.EXPERIMENT, True, summary)
        return [ListedExperiment(folder, summary, None, "", own=True)]

    def watch_list(self, after_revision: str) -> AsyncIterator[ListChange]:
        """Yields the experiment."""
        return WatchedList(self.listed, self.closed).watch(after_revision)

    async def manager(self, experiment_id: str) -> ManagerRecord | None:
        """Returns none: nothing else runs."""
        self._check(experiment_id)
        return None

    async def delete(self, experiment_id: str) -> None:
        """Refuses: there is no other experiment."""
        self._check(experiment_id)
        raise WrongExperimentStatusError(f"experiment {experiment_id!r} is the manager's own")

    async def create(self, config: ExperimentConfig, experiment_id: str, request_id: str) -> ExperimentView:
        """Records an experiment."""
        self._fail()
        if self._record is not None and self._record.create_request_id != request_id:
            raise ExperimentAlreadyExistsError("this manager has an experiment already")
        if self._record is None:
            self._record = ExperimentRecord(
                experiment_id=experiment_id,
                status=ExperimentStatus.INITIALIZED,
                config=config.json(),
                optimize_mode="maximize",
                created_at=time.time(),
                create_request_id=request_id,
            )
            self._bump()
        return self._view()

    async def get(self, experiment_id: str) -> ExperimentView:
        """Returns the experiment."""
        self._check(experiment_id)
        return self._view()

    async def start(self, experiment_id: str) -> ExperimentView:
        """Makes the experiment RUNNING."""
        record = self._check(experiment_id)
        self._record = replace(record, status=ExperimentStatus.RUNNING, started_at=time.time())
        self._bump()
        return self._view()

    async def update(self, experiment_id: str, update: ExperimentUpdate) -> ExperimentView:
        """Keeps the update."""
        record = self._check(experiment_id)
        self.updates.append(update)
        if update.trial_concurrency is not UNCHANGED:
            config: dict[str, Any] = {**record.config, "trialConcurrency": update.trial_concurrency}
            self._record = replace(record, config=config)
        self._bump()
        return self._view()

    async def resume(self, experiment_id: str, config: ExperimentConfig | None) -> ExperimentView:
        """Makes the experiment RUNNING."""
        self._check(experiment_id)
        self.resumed_with.append(config)
        return await self.start(experiment_id)

    async def pause(self, experiment_id: str) -> ExperimentView:
        """Makes the experiment paused."""
        return self._set_paused(experiment_id, True)

    async def unpause(self, experiment_id: str) -> ExperimentView:
        """Makes the experiment paused no more."""
        return self._set_paused(experiment_id, False)

    async def create_trial(self, experiment_id: str, parameters: Any, request_id: str) -> TrialView:
        """Adds a running trial, once for each request."""
        self._check(experiment_id)
        known = (it for it in self._trials.values() if it.record.create_request_id == request_id)
        stored = next(known, None)
        if stored is None:
            trial_id = f"c{len(self._trials)}"
            self.add_trial(trial_id, parameters)
            stored = self._trials[trial_id]
            record = replace(
                stored.record,
                parameter_id=None,
                parameter_source=ParameterSource.CUSTOMIZED,
                create_request_id=request_id,
            )
            stored = self._trials[trial_id] = replace(stored, record=record)
        return self._shown(stored)

    async def import_trials(
        self, experiment_id: str, trials: Sequence[dict[str, Any]], request_id: str
    ) -> int:
        """Keeps the results."""
        self._check(experiment_id)
        self.imported[request_id] = list(trials)
        return len(trials)

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Makes the experiment STOPPED and ends the watches."""
        record = self._check(experiment_id)
        reason = EndReason(Actor.USER, "stopped by the user")
        self._record = replace(
            record, status=ExperimentStatus.STOPPED, ended_at=time.time(), end_reason=reason
        )
        self._bump()
        self.closed.set()
        return self._view()

    async def close(self, *, by_user: bool, message: str) -> ExperimentView | None:
        """Ends the watches."""
        self.closed.set()
        self._changed.set()
        return self._view() if self._record is not None else None

    async def watch(
        self, experiment_id: str, after_revision: int, include_metrics: bool
    ) -> AsyncIterator[Change]:
        """Yields changes until the experiment is stopped or closed."""
        self._check(experiment_id)
        revision = after_revision
        while True:
            changed = self._changed
            if self._revision > revision:
                metrics = [metric for metric in self._metrics if metric.revision > revision]
                trials = [self._shown(it) for it in self._trials.values() if it.revision > revision]
                revision = self._revision
                yield Change(revision, self._view(), tuple(trials), tuple(metrics) if include_metrics else ())
            elif self.closed.is_set():
                return
            else:
                await changed.wait()

    async def trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Returns a trial."""
        self._check(experiment_id)
        if trial_id not in self._trials:
            raise TrialNotFoundError(f"experiment {experiment_id!r} has no trial {trial_id!r}")
        return self._shown(self._trials[trial_id])

    async def trials(
        self, experiment_id: str, after_sequence_number: int, limit: int, statuses: Collection[TrialStatus]
    ) -> list[TrialView]:
        """Returns trials."""
        self._check(experiment_id)
        found = [
            self._shown(it)
            for it in self._trials.values()
            if it.record.sequence_number > after_sequence_number
            and (not statuses or it.record.status in statuses)
        ]
        return found[:limit]

    async def cancel_trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Makes a trial USER_CANCELED."""
        view = await self.trial(experiment_id, trial_id)
        if not view.stored.record.status.is_final:
            record = replace(view.stored.record, status=TrialStatus.USER_CANCELED, ended_at=time.time())
            self._trials[trial_id] = replace(view.stored, record=record, revision=self._bump())
        return await self.trial(experiment_id, trial_id)

    async def metrics(
        self, experiment_id: str, trial_id: str | None, after_row: int, limit: int, kind: MetricKind | None
    ) -> list[StoredMetric]:
        """Returns results."""
        self._check(experiment_id)
        if trial_id is not None:
            await self.trial(experiment_id, trial_id)
        found = [
            metric
            for metric in self._metrics
            if metric.row > after_row
            and trial_id in (None, metric.record.trial_id)
            and kind in (None, metric.record.kind)
        ]
        return found[:limit]

    async def exported_trials(
        self, experiment_id: str, after_sequence_number: int, limit: int
    ) -> list[TrialView]:
        """Returns trials that have a final result."""
        views = await self.trials(experiment_id, after_sequence_number, len(self._trials), ())
        return [view for view in views if view.stored.record.has_final_result][:limit]

    async def report_metrics(
        self, experiment_id: str, trial_id: str, attempt: int, reports: Sequence[Report]
    ) -> int:
        """Keeps results, each once."""
        view = await self.trial(experiment_id, trial_id)
        revision, new = self._bump(), 0
        stored = view.stored
        for report in reports:
            reporter = (trial_id, attempt, report.reporter)
            if report.number <= self._reporters.get(reporter, -1):
                continue
            self._reporters[reporter] = report.number
            new += 1
            stored = self._with_result(stored, attempt, report, revision)
        self._trials[trial_id] = replace(stored, revision=revision)
        return new

    def add_trial(self, trial_id: str, parameters: Any) -> None:
        """Adds a running trial."""
        record = TrialRecord(
            trial_id=trial_id,
            sequence_number=len(self._trials),
            status=TrialStatus.RUNNING,
            attempt=0,
            parameter_id=len(self._trials),
            parameter_source=ParameterSource.ALGORITHM,
            parameters=parameters,
            created_at=time.time(),
            started_at=time.time(),
        )
        self._trials[trial_id] = StoredTrial(record, 0, None, self._bump())

    def _with_result(self, stored: StoredTrial, attempt: int, report: Report, revision: int) -> StoredTrial:
        trial_id = stored.record.trial_id
        same_kind = [it for it in self._metrics if it.record.trial_id == trial_id]
        index = sum(it.record.kind is report.kind for it in same_kind)
        metric = MetricRecord(trial_id, attempt, report.kind, index, report.value, report.reported_at)
        self._metrics.append(StoredMetric(metric, len(self._metrics) + 1, revision))
        if report.kind is MetricKind.INTERMEDIATE:
            return replace(
                stored, intermediate_count=stored.intermediate_count + 1, latest_intermediate=report.value
            )
        objective = float(report.value) if isinstance(report.value, int | float) else None
        record = replace(stored.record, has_final_result=True, final_result=report.value, objective=objective)
        return replace(stored, record=record)

    def _set_paused(self, experiment_id: str, paused: bool) -> ExperimentView:
        self._record = replace(self._check(experiment_id), paused=paused)
        self._bump()
        return self._view()

    def _check(self, experiment_id: str) -> ExperimentRecord:
        self._fail()
        if self._record is None or self._record.experiment_id != experiment_id:
            raise ExperimentNotFoundError(f"this manager has no experiment {experiment_id!r}")
        return self._record

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _bump(self) -> int:
        self._revision += 1
        self._changed.set()
        self._changed = asyncio.Event()
        return self._revision

    def _view(self) -> ExperimentView:
        assert self._record is not None
        counts: dict[TrialStatus, int] = {}
        for it in self._trials.values():
            counts[it.record.status] = counts.get(it.record.status, 0) + 1
        ranked = [it for it in self._trials.values() if it.record.objective is not None]
        best = max(ranked, key=lambda it: it.record.objective or 0.0, default=None)
        return ExperimentView(
            record=self._record,
            running_seconds=1.5,
            trial_counts=counts,
            best_trial=None if best is None else self._shown(best),
            directory=_DIRECTORY,
            revision=self._revision,
        )

    @staticmethod
    def _shown(stored: StoredTrial) -> TrialView:
        return TrialView(stored, f"{_DIRECTORY}/trials/{stored.record.trial_id}")


class _MemoryReader(ExperimentReader):
    """Reads what was put into a storage in memory."""

    def __init__(self, storage: Storage, record: ExperimentRecord, revision: int) -> None:
        super().__init__(_DIRECTORY, lambda _: (record, revision), lambda name: f"{_DIRECTORY}/trials/{name}")
        self._storage = storage

    async def ask(self, question: Callable[[Storage], _Result]) -> _Result:
        """Returns the answer to a question about the record."""
        return question(self._storage)
