"""Tells network file systems, on which SQLite's write-ahead log is not safe."""

from __future__ import annotations

from pathlib import Path

# fmt: off
_NETWORK_TYPES = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "cvmfs", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "quobyte", "smb2", "smb3", "smbfs", "sshfs",
    "vboxsf", "webdav", "wekafs",
})
# fmt: on


def is_on_network(path: Path) -> bool:
    """Returns whether a path lies on a file system that other machines may have mounted too."""
    return file_system_type(path).removeprefix("fuse.") in _NETWORK_TYPES


def file_system_type(path: Path) -> str:
    """Returns the type of the file system that a path lies on, in lower case; "" where it is not known."""
    import psutil

    place = path.resolve()
    mounts = [
        (len(Path(mount.mountpoint).parts), number, mount.fstype)
        for number, mount in enumerate(psutil.disk_partitions(all=True))
        if place.is_relative_to(mount.mountpoint)
    ]
    return max(mounts, default=(0, 0, ""))[2].lower()


def mounts_below(path: Path) -> list[Path]:
    """Returns where in a folder other file systems are mounted, folders mounted a second time included."""
    import psutil

    place = path.resolve()
    mounts = (Path(mount.mountpoint) for mount in psutil.disk_partitions(all=True))
    return sorted(mount for mount in mounts if place in mount.parents)
