"""The application service of a manager that only shows an experiment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

from nni_config import ExperimentConfig

from nni_manager.engine.events import Report
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.experiments import errors
from nni_manager.experiments.folder import ExperimentFolder, check_owner
from nni_manager.experiments.reading import ExperimentReader, OpenRecordReader
from nni_manager.experiments.views import Change, ExperimentUpdate, ExperimentView, TrialView
from nni_manager.storage.interface import Storage, StorageError, StoredMetric


class ViewService:
    """Implements ExperimentCalls (interface.py) for an experiment as it was recorded; it changes nothing.

    Attributes:
        closed: Set when the manager may end.
    """

    def __init__(self, record: ExperimentRecord, storage: Storage, folder: ExperimentFolder) -> None:
        """Makes a service of an open record; `open_view` opens one."""
        self.closed = asyncio.Event()
        self._record = record
        self._storage = storage
        committed = (record, storage.revision())
        self._reader = OpenRecordReader(
            storage,
            str(folder.path),
            committed=lambda _: committed,
            output_directory=lambda trial_id: str(folder.trials_directory / trial_id),
        )

    async def create(self, config: ExperimentConfig, experiment_id: str, request_id: str) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def start(self, experiment_id: str) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def update(self, experiment_id: str, update: ExperimentUpdate) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def resume(self, experiment_id: str, config: ExperimentConfig | None) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def pause(self, experiment_id: str) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def unpause(self, experiment_id: str) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def create_trial(self, experiment_id: str, parameters: Any, request_id: str) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def import_trials(
        self, experiment_id: str, trials: Sequence[dict[str, Any]], request_id: str
    ) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def cancel_trial(self, experiment_id: str, trial_id: str) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def report_metrics(
        self, experiment_id: str, trial_id: str, attempt: int, reports: Sequence[Report]
    ) -> NoReturn:
        """Refuses."""
        self._refuse()

    async def reader(self, experiment_id: str) -> ExperimentReader:
        """Returns what reads the record."""
        return self._find(experiment_id)

    async def get(self, experiment_id: str) -> ExperimentView:
        """Returns the experiment."""
        return await self._find(experiment_id).experiment()

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Ends the showing; the experiment stays as it is."""
        view = await self._find(experiment_id).experiment()
        await self.close(by_user=True, message="")
        return view

    async def close(self, *, by_user: bool, message: str) -> None:
        """Ends the showing."""
        if not self.closed.is_set():
            self.closed.set()
            await asyncio.to_thread(self._reader.close)
            await asyncio.to_thread(self._storage.close)

    async def watch(
        self, experiment_id: str, after_revision: int, include_metrics: bool
    ) -> AsyncIterator[Change]:
        """Yields everything after a revision, then waits for the end of the showing."""
        reader = self._find(experiment_id)
        revision = after_revision
        change = await reader.changes(revision, include_metrics)
        while change.revision > revision:
            yield change
            revision = change.revision
            change = await reader.changes(revision, include_metrics)
        await self.closed.wait()

    async def trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Returns a trial."""
        return await self._find(experiment_id).trial(trial_id)

    async def trials(
        self, experiment_id: str, after_sequence_number: int, limit: int, statuses: Collection[TrialStatus]
    ) -> list[TrialView]:
        """Returns trials by rising number."""
        return await self._find(experiment_id).trials(after_sequence_number, limit, statuses)

    async def metrics(
        self, experiment_id: str, trial_id: str | None, after_row: int, limit: int, kind: MetricKind | None
    ) -> list[StoredMetric]:
        """Returns results in the order stored."""
        return await self._find(experiment_id).metrics(trial_id, after_row, limit, kind)

    async def exported_trials(
        self, experiment_id: str, after_sequence_number: int, limit: int
    ) -> list[TrialView]:
        """Returns trials that have a final result, by rising number."""
        return await self._find(experiment_id).exported_trials(after_sequence_number, limit)

    def _find(self, experiment_id: str) -> ExperimentReader:
        if self._record.experiment_id != experiment_id:
            raise errors.ExperimentNotFoundError(f"this manager shows {self._record.experiment_id!r} only")
        return self._reader

    def _refuse(self) -> NoReturn:
        raise errors.WrongExperimentStatusError(
            f"experiment {self._record.experiment_id!r} is only shown by this manager; it cannot be changed"
        )


def open_view(
    experiments_directory: Path, experiment_id: str, open_storage: Callable[[Path], Storage]
) -> ViewService:
    """Opens the record of an experiment to show it.

    Args:
        experiments_directory: Where the folders of experiments are.
        experiment_id: The experiment.
        open_storage: Opens a record for reading only.

    Raises:
        ExperimentNotFoundError: There is no such experiment.
        StorageFailedError: Its record cannot be read.
    """
    folder = ExperimentFolder(experiments_directory / experiment_id)
    if not folder.exists():
        raise errors.ExperimentNotFoundError(
            f"there is no experiment {experiment_id!r} in {folder.path.parent}"
        )
    try:
        storage = open_storage(folder.database)
        record = storage.experiment()
    except StorageError as error:
        raise errors.StorageFailedError(str(error)) from error
    if record is None:
        raise errors.StorageFailedError(f"{folder.database} holds no experiment")
    check_owner(folder, record.experiment_id)
    return ViewService(record, storage, folder)
