"""The storage that an experiment's machines share, made of its configuration."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nni_config.shared_storage import SharedStorageConfig

from nni_manager.shared_storage.configured import configured_storage
from nni_manager.shared_storage.interface import SharedStorage, SharedStorageError
from nni_manager.training.interface import TrainingServiceError

if TYPE_CHECKING:
    from nni_manager.training.ssh.connection import SshConnection

_LOG = logging.getLogger(__name__)


@dataclass
class SharedPlace:
    """A storage that machines share: opened before the first of them, closed after the last.

    Where it is mounted, trials run in it, and what they leave stays there. Where it is not, what was fetched
    of a trial is put there.

    Attributes:
        storage: The storage.
        trials_directory: The folder here with one folder for each trial.
    """

    storage: SharedStorage
    trials_directory: Path
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _machines: set[str] = field(default_factory=set)
    _is_open: bool = False

    @property
    def remote_directory(self) -> str | None:
        """The experiment's folder on every machine, None where nothing is mounted."""
        return None if self.storage.local_directory is None else self.storage.remote_directory

    async def prepare(self, connection: SshConnection) -> None:
        """Opens the storage and gets it ready on a machine, where it is mounted.

        Raises:
            TrainingServiceError: It cannot be used, here or there.
        """
        try:
            async with self._lock:
                if not self._is_open:
                    await self.storage.open()
                    self._is_open = True
                self._machines.add(connection.name)
            if self.remote_directory is not None:
                await self.storage.open_machine(connection)
        except SharedStorageError as error:
            raise TrainingServiceError(f"shared_storage: {error}") from error

    async def leave(self, connection: SshConnection) -> None:
        """Gives it up on a machine, and here after the last one."""
        if self.remote_directory is not None:
            await self.storage.close_machine(connection)
        async with self._lock:
            self._machines.discard(connection.name)
            if self._is_open and not self._machines:
                self._is_open = False
                await self.storage.close()

    async def keep(self, trial_id: str) -> None:
        """Puts what was fetched of a trial there, where it is not mounted.

        Raises:
            TrainingServiceError: It cannot be put there; then it stays on the machine too.
        """
        if self.remote_directory is not None:
            return
        try:
            await asyncio.to_thread(self._upload, trial_id)
        except (OSError, SharedStorageError) as error:
            raise TrainingServiceError(f"shared_storage: {error}") from error

    def _upload(self, trial_id: str) -> None:
        folder = self.trials_directory / trial_id
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not path.is_symlink() and not name.startswith(".nni/"):
                self.storage.files.upload(path, f"trials/{trial_id}/{name}")


def make_shared_place(config: SharedStorageConfig, experiment_id: str, folder: Path) -> SharedPlace:
    """Returns the storage of a configuration; nothing is done with it yet.

    Args:
        config: The configuration.
        experiment_id: The experiment.
        folder: Its folder here.

    Raises:
        TrainingServiceError: It cannot be used like that.
    """
    try:
        return SharedPlace(configured_storage(config, experiment_id), folder / "trials")
    except SharedStorageError as error:
        raise TrainingServiceError(str(error)) from error
