"""Answers questions about an experiment from its storage, in threads, so that the event loop goes on."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.experiments.errors import ShuttingDownError, TrialNotFoundError
from nni_manager.experiments.trial_table.query import Position, StepRange, TrialQuery
from nni_manager.experiments.trial_table.reading import tables_of
from nni_manager.experiments.views import Change, ExperimentView, TrialView
from nni_manager.storage.interface import Storage, StoredMetric, StoredTrial

if TYPE_CHECKING:
    from nni_manager.experiments.trial_table.curves import Curves
    from nni_manager.experiments.trial_table.paging import TrialPage
    from nni_manager.experiments.trial_table.reading_columns import ReadColumns
    from nni_manager.experiments.trial_table.search_space import SpaceColumn
    from nni_manager.experiments.trial_table.table import TrialTable

_Result = TypeVar("_Result")
_TRIALS_PER_CHANGE = 1000
_METRICS_PER_CHANGE = 10_000
_TRIALS_PER_EXPORT_READ = 1000
_TRIES = 20


class ExperimentReader(ABC):
    """Reads one experiment.

    Attributes:
        directory: The experiment's folder.
    """

    def __init__(
        self,
        directory: str,
        committed: Callable[[Storage], tuple[ExperimentRecord, int]],
        output_directory: Callable[[str], str],
    ) -> None:
        """Makes a reader.

        Args:
            directory: The experiment's folder.
            committed: Returns the experiment as last stored, and the revision up to which it is that.
            output_directory: Returns the folder of a trial's output.
        """
        self.directory = directory
        self._committed = committed
        self._output_directory = output_directory

    @abstractmethod
    async def ask(self, question: Callable[[Storage], _Result]) -> _Result:
        """Returns the answer to a question about the record, which is asked in a thread."""

    async def experiment(self) -> ExperimentView:
        """Returns the experiment; its counts are those of its revision."""
        for attempt in range(_TRIES):
            view, is_steady = await self.ask(self._experiment_now)
            if is_steady:
                break
            await asyncio.sleep(attempt / 1000)  # More was stored, and whoever stored it has yet to say so.
        return view

    async def trial(self, trial_id: str) -> TrialView:
        """Returns a trial.

        Raises:
            TrialNotFoundError: There is none of this id.
        """
        stored = await self.ask(lambda storage: storage.trial(trial_id))
        if stored is None:
            raise TrialNotFoundError(f"the experiment has no trial {trial_id!r}")
        return self._view(stored)

    async def trial_of_request(self, request_id: str) -> TrialView | None:
        """Returns the trial that a request created, None when it created none."""
        stored = await self.ask(lambda storage: storage.trial_of_request(request_id))
        return None if stored is None else self._view(stored)

    async def trials(
        self, after_sequence_number: int, limit: int, statuses: Collection[TrialStatus]
    ) -> list[TrialView]:
        """Returns trials by rising number."""
        stored = await self.ask(lambda storage: storage.trials(after_sequence_number, limit, statuses))
        return [self._view(trial) for trial in stored]

    async def trial_page(
        self, query: TrialQuery, after: Position | None, skip: int, limit: int
    ) -> tuple[TrialPage, list[TrialView]]:
        """Returns a page of trials; see `trial_table.paging.trial_page`."""
        page = await self.ask(lambda it: tables_of(it).page(it, self._record(it), query, after, skip, limit))
        return page, [self._view(trial) for trial in page.trials]

    def table_of(self, storage: Storage) -> TrialTable:
        """Returns the trials as a table, within a question."""
        return tables_of(storage).table(storage, self._record(storage))

    async def columns(self) -> Sequence[SpaceColumn]:
        """Returns the columns that there are; see `trial_table.columns`."""
        return await self.ask(lambda it: tables_of(it).columns(it, self._record(it)))

    async def read_columns(self, query: TrialQuery, names: Sequence[str], max_trials: int) -> ReadColumns:
        """Returns columns of trials; see `trial_table.reading_columns`."""
        return await self.ask(
            lambda it: tables_of(it).read_columns(it, self._record(it), query, names, max_trials)
        )

    async def curves(
        self, query: TrialQuery, key: str, max_curves: int, max_points: int, step_range: StepRange | None
    ) -> Curves:
        """Returns the curves of trials; see `trial_table.curves`."""
        return await self.ask(
            lambda it: tables_of(it).curves(
                it, self._record(it), query, key, max_curves, max_points, step_range
            )
        )

    async def metrics(
        self, trial_id: str | None, after_row: int, limit: int, kind: MetricKind | None
    ) -> list[StoredMetric]:
        """Returns results in the order stored.

        Raises:
            TrialNotFoundError: There is no trial of this id.
        """
        if trial_id is not None:
            await self.trial(trial_id)
        return await self.ask(lambda storage: storage.metrics(trial_id, after_row, limit, kind))

    async def exported_trials(self, after_sequence_number: int, limit: int) -> list[TrialView]:
        """Returns trials that have a final result, by rising number."""
        found: list[TrialView] = []
        while len(found) < limit:
            page = await self.trials(after_sequence_number, _TRIALS_PER_EXPORT_READ, ())
            found.extend(view for view in page if view.stored.record.has_final_result)
            if len(page) < _TRIALS_PER_EXPORT_READ:
                break
            after_sequence_number = page[-1].stored.record.sequence_number
        return found[:limit]

    async def changes(self, after_revision: int, include_metrics: bool) -> Change:
        """Returns what changed after a revision, or the first part of it when it is much."""
        return await self.ask(lambda storage: self._changes(storage, after_revision, include_metrics))

    def _changes(self, storage: Storage, after_revision: int, include_metrics: bool) -> Change:
        # The revision is taken first: what is read after it is complete up to it. It is not the storage's,
        # which may have a commit already whose experiment we do not know yet.
        _, upper = self._committed(storage)
        trials = storage.trials_changed_after(after_revision, _TRIALS_PER_CHANGE)
        if len(trials) >= _TRIALS_PER_CHANGE:
            upper = min(upper, trials[-1].revision)
        metrics: list[StoredMetric] = []
        if include_metrics:
            metrics = storage.metrics_changed_after(after_revision, _METRICS_PER_CHANGE)
            if len(metrics) >= _METRICS_PER_CHANGE:
                upper = min(upper, metrics[-1].revision)
        trials = [trial for trial in trials if trial.revision <= upper]
        changed = trials or storage.experiment_revision() > after_revision
        return Change(
            revision=max(upper, after_revision),
            experiment=self._experiment(storage) if changed else None,
            trials=tuple(self._view(trial) for trial in trials),
            metrics=tuple(metric for metric in metrics if metric.revision <= upper),
        )

    def _experiment_now(self, storage: Storage) -> tuple[ExperimentView, bool]:
        """Returns the experiment, and whether its counts are those of its revision."""
        record, revision = self._committed(storage)
        with storage.snapshot():
            return self._experiment_view(storage, record, revision), storage.revision() == revision

    def _experiment(self, storage: Storage) -> ExperimentView:
        return self._experiment_view(storage, *self._committed(storage))

    def _experiment_view(self, storage: Storage, record: ExperimentRecord, revision: int) -> ExperimentView:
        since = record.running_since
        best = storage.best_trial(record.optimize_mode)
        return ExperimentView(
            record=record,
            running_seconds=record.running_seconds + (max(0.0, time.time() - since) if since else 0.0),
            trial_counts=storage.trial_counts(),
            best_trial=None if best is None else self._view(best),
            directory=self.directory,
            revision=revision,
        )

    def _record(self, storage: Storage) -> ExperimentRecord:
        return self._committed(storage)[0]

    def _view(self, stored: StoredTrial) -> TrialView:
        return TrialView(stored, self._output_directory(stored.record.trial_id))


class OpenRecordReader(ExperimentReader):
    """Reads an experiment whose record is open."""

    def __init__(
        self,
        storage: Storage,
        directory: str,
        committed: Callable[[Storage], tuple[ExperimentRecord, int]],
        output_directory: Callable[[str], str],
    ) -> None:
        """Makes a reader of a storage; the other arguments are those of ExperimentReader."""
        super().__init__(directory, committed, output_directory)
        self._storage = storage
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="read")
        self._closed = False

    async def ask(self, question: Callable[[Storage], _Result]) -> _Result:
        """Returns the answer to a question about the record, which is asked in a thread."""
        if self._closed:
            raise ShuttingDownError("the manager is shutting down")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: question(self._storage))

    def close(self) -> None:
        """Waits for reads under way; later ones are refused."""
        self._closed = True
        self._threads.shutdown()
