"""A small disk that can be filled and freed, as far as this machine lets us have one."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from workspace.marked import marked_processes

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CHUNK = bytes(64 * 1024)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class SmallDisk(ABC):
    """Where experiments lie.

    Attributes:
        folder: The folder for experiments.
        description: What the disk is.
    """

    folder: Path
    description: str

    @abstractmethod
    def fill(self) -> None:
        """Lets nothing more be written. Call it again to take what others have freed meanwhile."""

    @abstractmethod
    def free(self) -> None:
        """Lets everything be written again."""

    def close(self) -> None:  # noqa: B027 - not every disk has something to do
        """Takes it away, with all that is on it."""


class MountedDisk(SmallDisk):
    """A file system in memory, which goes with this process and those that it started."""

    def __init__(self, folder: Path, size: int) -> None:
        """Mounts it; only in a mount namespace of our own.

        Args:
            folder: An empty folder.
            size: How much fits into it, in bytes.

        Raises:
            OSError: It cannot be mounted.
        """
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "nni-chaos", str(folder)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise OSError(done.stderr.strip())
        self.folder = folder / "experiments"
        self.folder.mkdir()
        self.description = f"a file system of {size // 2**20} MiB in memory"
        self._mount_point = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Writes until there is no room."""
        chunk = _CHUNK
        with self._filler.open("ab", buffering=0) as file:
            while chunk:
                try:
                    file.write(chunk)
                except OSError as error:
                    if error.errno not in _FULL:
                        raise
                    chunk = chunk[: len(chunk) // 2]

    def free(self) -> None:
        """Makes room again."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmounts it."""
        subprocess.run(["umount", "--lazy", str(self._mount_point)], check=True)


class LimitedFiles(SmallDisk):
    """Stands in for a small disk: processes may write no more to files while it is full."""

    def __init__(self, folder: Path, mark: str) -> None:
        """Begins with room.

        Args:
            folder: The folder for experiments.
            mark: Of the processes that write there.
        """
        self.folder = folder
        self.description = "a limit of file sizes, since no small disk may be mounted here"
        self._mark = mark

    def fill(self) -> None:
        """Forbids managers to write."""
        self._limit(0)

    def free(self) -> None:
        """Allows all to write."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        for process in marked_processes(self._mark):
            if size == resource.RLIM_INFINITY or process.kind == "manager":
                with suppress(OSError):
                    hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
                    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))


def small_disk(folder: Path, size: int, mark: str, may_mount: bool) -> SmallDisk:
    """Returns a small disk. Call it before the process has threads.

    Args:
        folder: A folder, which is made.
        size: How much is to fit into it, in bytes.
        mark: Of the processes that write there.
        may_mount: Whether a file system may be mounted.
    """
    folder.mkdir()
    if may_mount:
        with suppress(OSError):
            _leave_mounts()
            return MountedDisk(folder, size)
    return LimitedFiles(folder, mark)


def _leave_mounts() -> None:
    """Gets this process mounts of its own, which nobody else sees and which end with it.

    Raises:
        OSError: That is not allowed here.
    """
    user, group = os.getuid(), os.getgid()
    kinds = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if ctypes.CDLL(None, use_errno=True).unshare(kinds) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(done.stderr.strip())
