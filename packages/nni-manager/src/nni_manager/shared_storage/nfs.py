"""A folder that an NFS server exports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_storage import MountedStorage
from nni_manager.shared_storage.mounting import MountProgram

_INSTALL = (
    "the programs for NFS are missing there: Debian and Ubuntu have them in nfs-common, Fedora in nfs-utils"
)
_ADVICE = {
    "helper program": _INSTALL,
    "bad option": _INSTALL,
    "unknown filesystem type": "the kernel there has no NFS, or the programs for it are missing (nfs-common)",
    "No such device": "the kernel there has no NFS",
    "a password is required": "mount it yourself, or let the user run mount by sudo without a password",
    "access denied": "the server does not export that folder to this machine",
    "reason given by server: No such file or directory": "the server exports no such folder",
    "Operation not permitted": "a container may not mount; mount it outside and use usermount",
}


def mount_program(server: str, exported_directory: str) -> MountProgram:
    """Returns what mounts an exported folder. A server that does not answer is not asked again and again."""
    source = f"{server}:{exported_directory}"
    command = ("mount", "-t", "nfs", "-o", "retry=0", source, "{point}")
    return MountProgram(command, needs_root=True, advice=_ADVICE)


def nfs_storage(
    *,
    server: str,
    exported_directory: str,
    local_mount_point: Path,
    remote_mount_point: str,
    local_mounted: str,
    experiment_id: str,
    programs: Sequence[MountProgram] = (),
) -> MountedStorage:
    """Returns the storage of an NfsConfig.

    Args:
        server: Its name or address.
        exported_directory: What it exports.
        local_mount_point: Where it is or will be mounted here.
        remote_mount_point: The same on the machines that trials run on.
        local_mounted: "usermount" or "nnimount".
        experiment_id: The experiment.
        programs: What mounts it in place of `mount -t nfs`.

    Raises:
        SharedStorageError: The manager could not reach it.
    """
    if local_mounted == "nomount":
        raise SharedStorageError(
            "shared_storage.local_mounted: without a mount here the manager cannot reach an NFS server; "
            "allowed is usermount or nnimount (nomount is for AzureBlob)"
        )
    return MountedStorage(
        source=f"{server}:{exported_directory}",
        programs=programs or [mount_program(server, exported_directory)],
        local_mount_point=local_mount_point,
        remote_mount_point=remote_mount_point,
        experiment_id=experiment_id,
        mounts_here=local_mounted == "nnimount",
    )
