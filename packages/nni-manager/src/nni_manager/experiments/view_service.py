"""The application service of a manager that only shows an experiment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from nni_manager.experiments import errors
from nni_manager.experiments.folder import ExperimentFolder, check_owner
from nni_manager.experiments.read_only import ReadOnlyService, as_recorded
from nni_manager.experiments.reading import OpenRecordReader
from nni_manager.experiments.views import ExperimentView
from nni_manager.storage.interface import Storage, StorageError


class ViewService(ReadOnlyService):
    """Implements ExperimentCalls (interface.py) for an experiment as it was recorded; it changes nothing.

    Attributes:
        closed: Set when the manager may end.
    """

    def __init__(self, storage: Storage, folder: ExperimentFolder) -> None:
        """Makes a service of an open record; `open_view` opens one."""
        self._storage = storage
        self._open_reader = OpenRecordReader(
            storage,
            str(folder.path),
            committed=as_recorded(folder),
            output_directory=lambda trial_id: str(folder.trials_directory / trial_id),
        )
        super().__init__(folder, self._open_reader, asyncio.Event())

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Ends the showing; the experiment stays as it is."""
        view = await self._find(experiment_id).experiment()
        await self.close(by_user=True, message="")
        return view

    async def close(self, *, by_user: bool, message: str) -> None:
        """Ends the showing."""
        if not self.closed.is_set():
            self.closed.set()
            await asyncio.to_thread(self._open_reader.close)
            await asyncio.to_thread(self._storage.close)


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
    return ViewService(storage, folder)
