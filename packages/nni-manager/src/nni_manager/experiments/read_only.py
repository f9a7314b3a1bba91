"""The calls about an experiment that this manager does not run: all that read, none that changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from nni_config import ExperimentConfig
from nni_config.experiment_folders import INTERRUPTED
from nni_config.local_state import manager_of

from nni_manager.engine.events import Report
from nni_manager.engine.records import EndReason, ExperimentRecord
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, TrialStatus
from nni_manager.experiments import errors
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.experiments.views import Change, ExperimentUpdate, ExperimentView, TrialView
from nni_manager.storage.interface import Storage, StoredMetric
from nni_manager.waiting import happens_within

_SECONDS_BETWEEN_LOOKS = 1.0
_UNINTERRUPTED = frozenset(
    {ExperimentStatus.INITIALIZED, ExperimentStatus.DONE, ExperimentStatus.STOPPED, ExperimentStatus.ERROR}
)


class ReadOnlyService:
    """Implements ExperimentCalls (interface.py) for an experiment that this manager does not run.

    Attributes:
        closed: Set when the manager is to end.
    """

    def __init__(self, folder: ExperimentFolder, reader: ExperimentReader, closed: asyncio.Event) -> None:
        """Makes a service.

        Args:
            folder: The experiment's folder.
            reader: Reads the experiment.
            closed: Set when the manager is to end.
        """
        self.closed = closed
        self._folder = folder
        self._reader = reader

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

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Refuses."""
        self._refuse()

    async def reader(self, experiment_id: str) -> ExperimentReader:
        """Returns what reads the record."""
        return self._find(experiment_id)

    async def get(self, experiment_id: str) -> ExperimentView:
        """Returns the experiment."""
        return await self._find(experiment_id).experiment()

    async def watch(
        self, experiment_id: str, after_revision: int, include_metrics: bool
    ) -> AsyncIterator[Change]:
        """Yields everything after a revision, then what another manager adds, until this one ends."""
        reader = self._find(experiment_id)
        revision = after_revision
        while not self.closed.is_set():
            change = await reader.changes(revision, include_metrics)
            while change.revision > revision:
                yield change
                revision = change.revision
                change = await reader.changes(revision, include_metrics)
            was_run = await self._is_run()
            while not self.closed.is_set():
                await self._pause()
                if was_run or await self._is_run():
                    break

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
        if self._folder.path.name != experiment_id:
            raise errors.ExperimentNotFoundError(f"this manager shows {self._folder.path.name!r} only")
        return self._reader

    async def _is_run(self) -> bool:
        return await asyncio.to_thread(manager_of, self._folder.path) is not None

    async def _pause(self) -> None:
        await happens_within(self.closed, _SECONDS_BETWEEN_LOOKS)

    def _refuse(self) -> NoReturn:
        experiment_id, manager = self._folder.path.name, manager_of(self._folder.path)
        if manager is not None:
            raise errors.WrongExperimentStatusError(
                f"experiment {experiment_id!r} is run by its own manager, on port {manager.port}"
            )
        raise errors.WrongExperimentStatusError(
            f"experiment {experiment_id!r} is only shown by this manager; it cannot be changed. To go on "
            f"with it: nnictl resume {experiment_id}"
        )


def as_recorded(folder: ExperimentFolder) -> Callable[[Storage], tuple[ExperimentRecord, int]]:
    """Returns what tells an experiment from its record, and the revision up to which it is that.

    One whose manager has gone without ending it is STOPPED since then.

    Args:
        folder: The experiment's folder.
    """

    def shown(storage: Storage) -> tuple[ExperimentRecord, int]:
        revision, record = storage.revision(), storage.experiment()
        if record is None:
            raise errors.StorageFailedError(f"{folder.database} holds no experiment")
        if record.status in _UNINTERRUPTED or manager_of(folder.path) is not None:
            return record, revision
        since, until = record.running_since, storage.committed_at() or record.created_at
        gone = replace(
            record,
            status=ExperimentStatus.STOPPED,
            ended_at=until,
            end_reason=EndReason(Actor.MANAGER, INTERRUPTED),
            running_seconds=record.running_seconds + (0.0 if since is None else max(0.0, until - since)),
            running_since=None,
        )
        return gone, revision

    return shown
