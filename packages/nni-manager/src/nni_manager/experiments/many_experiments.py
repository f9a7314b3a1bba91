"""All experiments of a folder behind one interface: the manager's own, and the others to look at."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nni_config import ExperimentConfig
from nni_config.deleting import check_deletable, delete_experiment
from nni_config.experiment_folders import FolderSummary, find_experiment
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN
from nni_config.local_state import ManagerRecord, manager_of

from nni_manager.engine.events import Report
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.experiments import errors
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.interface import ExperimentCalls
from nni_manager.experiments.list_watching import ListChange, WatchedList
from nni_manager.experiments.listing import ExperimentList, ListedExperiment
from nni_manager.experiments.open_records import OpenRecords
from nni_manager.experiments.read_only import ReadOnlyService, as_recorded
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.experiments.views import Change, ExperimentUpdate, ExperimentView, TrialView
from nni_manager.storage.interface import Storage, StoredMetric

_LOG = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class OwnExperiment(ExperimentCalls, Protocol):
    """The service of the experiment that a manager was started for.

    Attributes:
        closed: Is set when the manager is to end.
    """

    closed: asyncio.Event

    async def close(self, *, by_user: bool, message: str) -> ExperimentView | None:
        """Ends the experiment, if there is one."""


class ManyExperiments:
    """Implements FolderCalls (interface.py): calls about another experiment read its record, or are refused.

    Attributes:
        closed: Is set when the manager is to end.
    """

    def __init__(
        self,
        own: OwnExperiment,
        experiment_id: str,
        experiments_directory: Path,
        open_to_read: Callable[[Path], Storage],
    ) -> None:
        """Makes the service; nothing is looked at yet.

        Args:
            own: The service of this manager's experiment.
            experiment_id: That experiment's id.
            experiments_directory: Where the folders of experiments are.
            open_to_read: Opens the record in a file for reading only.
        """
        self.closed = own.closed
        self._own = own
        self._own_id = experiment_id
        self._directory = experiments_directory
        self._records = OpenRecords(open_to_read)
        self._list = ExperimentList(experiments_directory, experiment_id, open_to_read)
        self._watched = WatchedList(self._list.experiments, own.closed)

    async def close(self, *, by_user: bool, message: str) -> ExperimentView | None:
        """Ends the experiment of this manager, and closes the records of others."""
        view = await self._own.close(by_user=by_user, message=message)
        await self.close_others()
        return view

    async def close_others(self) -> None:
        """Closes the records of other experiments."""
        await self._records.close()
        self._list.close()

    async def listed(self) -> list[ListedExperiment]:
        """Returns all experiments of the folder, the newest first."""
        return await self._list.experiments()

    async def watch_list(self, after_revision: str) -> AsyncIterator[ListChange]:
        """Yields what changes in the list of experiments; see FolderCalls."""
        async with aclosing(self._watched.watch(after_revision)) as changes:  # type: ignore[type-var]
            async for change in changes:
                yield change

    async def manager(self, experiment_id: str) -> ManagerRecord | None:
        """Returns the other manager that runs an experiment; None for this manager's and when none does."""
        if experiment_id == self._own_id:
            return None
        folder = await self._folder(experiment_id)
        return await asyncio.to_thread(manager_of, folder.path)

    async def delete(self, experiment_id: str) -> None:
        """Removes another experiment with all its files; see FolderCalls."""
        if experiment_id == self._own_id:
            raise errors.WrongExperimentStatusError(
                f"experiment {experiment_id!r} is the one that this manager was started for; stop it, then: "
                f"nnictl experiment delete {experiment_id}"
            )
        found = await asyncio.to_thread(find_experiment, experiment_id, [self._directory])
        if found is None:
            raise self._unknown(experiment_id)
        await self._records.close_one(ExperimentFolder(found.path).database)
        try:
            await asyncio.to_thread(_delete, found)
        except (RuntimeError, OSError) as error:
            raise errors.WrongExperimentStatusError(
                f"experiment {experiment_id!r} is not deleted: {error}"
            ) from error

    async def create(self, config: ExperimentConfig, experiment_id: str, request_id: str) -> ExperimentView:
        """Records this manager's experiment."""
        return await self._own.create(config, experiment_id, request_id)

    async def get(self, experiment_id: str) -> ExperimentView:
        """Returns an experiment."""
        return await (await self._calls(experiment_id)).get(experiment_id)

    async def reader(self, experiment_id: str) -> ExperimentReader:
        """Returns what reads an experiment's record."""
        return await (await self._calls(experiment_id)).reader(experiment_id)

    async def start(self, experiment_id: str) -> ExperimentView:
        """Starts an experiment."""
        return await (await self._calls(experiment_id)).start(experiment_id)

    async def update(self, experiment_id: str, update: ExperimentUpdate) -> ExperimentView:
        """Changes limits or the search space."""
        return await (await self._calls(experiment_id)).update(experiment_id, update)

    async def resume(self, experiment_id: str, config: ExperimentConfig | None) -> ExperimentView:
        """Goes on with an experiment."""
        return await (await self._calls(experiment_id)).resume(experiment_id, config)

    async def pause(self, experiment_id: str) -> ExperimentView:
        """Lets running trials finish and starts no new one."""
        return await (await self._calls(experiment_id)).pause(experiment_id)

    async def unpause(self, experiment_id: str) -> ExperimentView:
        """Lets trials start again."""
        return await (await self._calls(experiment_id)).unpause(experiment_id)

    async def create_trial(self, experiment_id: str, parameters: Any, request_id: str) -> TrialView:
        """Queues a trial with parameters of the caller's own."""
        calls = await self._calls(experiment_id)
        return await calls.create_trial(experiment_id, parameters, request_id)

    async def import_trials(
        self, experiment_id: str, trials: Sequence[dict[str, Any]], request_id: str
    ) -> int:
        """Tells the tuner of results from elsewhere."""
        calls = await self._calls(experiment_id)
        return await calls.import_trials(experiment_id, trials, request_id)

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Stops this manager's experiment."""
        try:
            return await (await self._calls(experiment_id)).stop(experiment_id)
        finally:
            if self.closed.is_set():
                await self.close_others()

    async def watch(
        self, experiment_id: str, after_revision: int, include_metrics: bool
    ) -> AsyncIterator[Change]:
        """Yields what changes in an experiment."""
        calls = await self._calls(experiment_id)
        watched = calls.watch(experiment_id, after_revision, include_metrics)
        async with aclosing(watched) as changes:  # type: ignore[type-var]
            async for change in changes:
                yield change

    async def trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Returns a trial."""
        return await (await self._calls(experiment_id)).trial(experiment_id, trial_id)

    async def trials(
        self, experiment_id: str, after_sequence_number: int, limit: int, statuses: Collection[TrialStatus]
    ) -> list[TrialView]:
        """Returns trials by rising number."""
        calls = await self._calls(experiment_id)
        return await calls.trials(experiment_id, after_sequence_number, limit, statuses)

    async def cancel_trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Stops a trial."""
        return await (await self._calls(experiment_id)).cancel_trial(experiment_id, trial_id)

    async def metrics(
        self, experiment_id: str, trial_id: str | None, after_row: int, limit: int, kind: MetricKind | None
    ) -> list[StoredMetric]:
        """Returns results in the order stored."""
        calls = await self._calls(experiment_id)
        return await calls.metrics(experiment_id, trial_id, after_row, limit, kind)

    async def exported_trials(
        self, experiment_id: str, after_sequence_number: int, limit: int
    ) -> list[TrialView]:
        """Returns trials that have a final result, by rising number."""
        calls = await self._calls(experiment_id)
        return await calls.exported_trials(experiment_id, after_sequence_number, limit)

    async def report_metrics(
        self, experiment_id: str, trial_id: str, attempt: int, reports: Sequence[Report]
    ) -> int:
        """Stores results."""
        calls = await self._calls(experiment_id)
        return await calls.report_metrics(experiment_id, trial_id, attempt, reports)

    async def _calls(self, experiment_id: str) -> ExperimentCalls:
        if experiment_id == self._own_id:
            return self._own
        folder = await self._folder(experiment_id)
        return ReadOnlyService(folder, _OtherReader(folder, self._records), self.closed)

    async def _folder(self, experiment_id: str) -> ExperimentFolder:
        folder = ExperimentFolder(self._directory / experiment_id)
        known = EXPERIMENT_ID_PATTERN.fullmatch(experiment_id) is not None
        if not known or not await asyncio.to_thread(folder.exists):
            raise self._unknown(experiment_id)
        return folder

    def _unknown(self, experiment_id: str) -> errors.ExperimentNotFoundError:
        return errors.ExperimentNotFoundError(
            f"this manager has no experiment {experiment_id!r}, and there is none in {self._directory}"
        )


class _OtherReader(ExperimentReader):
    """Reads an experiment whose record is opened when it is asked."""

    def __init__(self, folder: ExperimentFolder, records: OpenRecords) -> None:
        super().__init__(
            str(folder.path),
            committed=as_recorded(folder),
            output_directory=lambda trial_id: str(folder.trials_directory / trial_id),
        )
        self._database = folder.database
        self._records = records

    async def ask(self, question: Callable[[Storage], _Result]) -> _Result:
        """Returns the answer to a question about the record, which is asked in a thread."""
        return await self._records.ask(self._database, question)


def _delete(folder: FolderSummary) -> None:
    check_deletable(folder)  # says more of one that runs than that its folder is taken
    _LOG.info("deleting experiment %s with all its files, in %s", folder.experiment_id, folder.path)
    delete_experiment(folder)
    _LOG.info("deleted experiment %s", folder.experiment_id)
