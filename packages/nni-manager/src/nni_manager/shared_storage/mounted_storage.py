"""A storage that is mounted: here, or on the machines that trials run on, or both."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from nni_manager.shared_storage.interface import Machine, MachineFolder, SharedFiles, SharedStorageError
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.shared_storage.mounting import (
    MountProgram,
    choose,
    is_mounted_on,
    mount_here,
    mount_id,
    mount_on,
    not_installed,
    unmount_here,
    unmount_on,
)
from nni_manager.shared_storage.probe import VISIBLE_SECONDS, Probe, who_may_write

_LOG = logging.getLogger(__name__)


class MountedStorage:
    """Keeps the promises of SharedStorage where a mount shows the storage on this machine."""

    def __init__(
        self,
        *,
        source: str,
        programs: Sequence[MountProgram],
        local_mount_point: Path,
        remote_mount_point: str,
        experiment_id: str,
        mounts_here: bool,
    ) -> None:
        """Makes a storage that is not open yet.

        Args:
            source: What it is, for messages.
            programs: What may mount it, the best first.
            local_mount_point: Where it is or will be mounted here.
            remote_mount_point: The same on the machines that trials run on, absolute.
            experiment_id: The experiment.
            mounts_here: Whether it is to be mounted here if it is not.
        """
        self._source = source
        self._programs = programs
        self._point = local_mount_point
        self._mounts_here = mounts_here
        self._directory = local_mount_point / "nni" / experiment_id
        self._files = MountedFiles(self._directory, local_mount_point / "nni")
        self._machines = MachineMounts(source, programs, remote_mount_point, experiment_id)
        self._probe = Probe(self._files, lambda: who_may_write(self._directory))
        self._held: int | None = None

    @property
    def local_directory(self) -> Path:
        """The experiment's folder as this machine sees it."""
        return self._directory

    @property
    def remote_directory(self) -> str:
        """The experiment's folder on the machines that trials run on."""
        return self._machines.directory

    @property
    def files(self) -> SharedFiles:
        """The files in it."""
        return self._files

    async def open(self) -> None:
        """Mounts it if that is wanted and it is not, makes the experiment's folder and tries it.

        Raises:
            SharedStorageError: It cannot be used.
        """
        if self._mounts_here and await asyncio.to_thread(mount_id, self._point) is None:
            await mount_here(choose(self._programs, self._source), self._source, self._point)
        elif not await asyncio.to_thread(self._point.is_dir):
            raise SharedStorageError(f"{self._source}: the local mount point {self._point} is not a folder")
        try:
            await self._probe.try_here()
            # The kernel does not unmount what somebody has open, whoever asks for it.
            self._held = await asyncio.to_thread(os.open, self._directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            await self.close()
            raise SharedStorageError(f"{self._directory} cannot be opened: {error.strerror}") from error
        except BaseException:
            await self.close()
            raise

    async def open_machine(self, machine: Machine) -> MachineFolder:
        """Mounts it on a machine if it is not, and tries whether both see the same.

        Raises:
            SharedStorageError: It cannot be used there.
        """
        folder = await self._machines.open(machine, self._probe)
        if folder is None:
            raise SharedStorageError(
                f"mount of {self._source} on {machine.name} failed: {not_installed(self._programs)} there"
            )
        return folder

    async def transfer_input(self) -> bytes:
        """Returns nothing: what is mounted is not sent."""
        return b""

    async def close_machine(self, machine: Machine) -> None:
        """Unmounts what was mounted there, unless it is in use. Problems are logged."""
        await self._machines.close(machine)

    async def close(self) -> None:
        """Unmounts what was mounted here, unless it is in use. Problems are logged."""
        if self._held is not None:
            await self._probe.remove()
            os.close(self._held)
            self._held = None
        if self._mounts_here:
            await unmount_here(self._point)


class MachineMounts:
    """Where a storage is mounted on the machines that trials run on."""

    def __init__(
        self, source: str, programs: Sequence[MountProgram], mount_point: str, experiment_id: str
    ) -> None:
        """Mounts nothing yet.

        Args:
            source: What the storage is, for messages.
            programs: What may mount it, the best first.
            mount_point: Where, absolute.
            experiment_id: The experiment.

        Raises:
            SharedStorageError: The mount point is not absolute.
        """
        if not mount_point.startswith("/"):
            raise SharedStorageError(
                f"remote_mount_point: {mount_point!r} does not begin with /; allowed is a whole path"
            )
        self._source = source
        self._programs = programs
        self._point = mount_point.rstrip("/")
        self._mounted: set[str] = set()
        self.directory = f"{self._point}/nni/{experiment_id}"

    async def open(self, machine: Machine, probe: Probe) -> MachineFolder | None:
        """Mounts the storage on a machine unless what this machine wrote is seen there, and tries it.

        Returns:
            The experiment's folder there, None when nothing is mounted and nothing can mount it.

        Raises:
            SharedStorageError: It cannot be used there.
        """
        if not await probe.is_seen(machine, self.directory):
            if not await is_mounted_on(machine, self._point):
                if not await mount_on(machine, self._programs, self._source, self._point):
                    return None
                self._mounted.add(machine.name)
            if not await probe.is_seen(machine, self.directory, VISIBLE_SECONDS):
                raise SharedStorageError(
                    f"{machine.name}: what this machine wrote to {self._source} is not seen at "
                    f"{self.directory}: another storage is mounted on {self._point} there"
                )
        await probe.try_there(machine, self.directory)
        return MachineFolder(self.directory, is_shared=True)

    async def close(self, machine: Machine) -> None:
        """Unmounts what `open` has mounted there, unless it is in use. Problems are logged."""
        if machine.name in self._mounted:
            self._mounted.discard(machine.name)
            try:
                await unmount_on(machine, self._programs, self._point)
            except Exception as error:
                _LOG.warning("%s: %s stays mounted: %s", machine.name, self._point, error)
