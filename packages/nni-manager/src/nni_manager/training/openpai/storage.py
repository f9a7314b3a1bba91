"""The storage that jobs mount and this machine mounts too: one folder for each experiment, seen by both."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from nni_manager.shared_storage.interface import SharedStorageError
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.shared_storage.probe import Probe, who_may_write
from nni_manager.training.interface import TrainingServiceError

ARCHIVES = "archives"
"""The folder of what is brought for all jobs."""

_MOUNT_POINT = re.compile(r"/[\w./+@ -]*")

# Files are private to who makes them: what root makes in a container, a manager of another user cannot read,
# and where the storage squashes root, root cannot write to the manager's folder.
_AS_OWNER = """\
command={command}
owner=$(stat -c '%u %g' {folder} 2> /dev/null || echo {uid} {gid})
if [ "$(id -u)" = 0 ] && [ "${{owner%% *}}" != 0 ]; then
  for python in python3 python; do
    if "$python" -c '' > /dev/null 2>&1; then
      exec "$python" -c {program} $owner "$command"
    fi
  done
fi
eval "$command"
"""
_SWITCH = """\
import os, sys, tempfile
user, group = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([])
os.setgid(group)
os.setuid(user)
if not os.access(os.environ.get("HOME", "/root"), os.W_OK):
    os.environ["HOME"] = tempfile.mkdtemp()
if not os.access(".", os.R_OK | os.X_OK):
    os.chdir(os.environ["HOME"])
os.execvp("bash", ["bash", "-c", sys.argv[3]])
"""


class MountedExperiment:
    """An experiment's folder in the storage.

    Attributes:
        local: The folder as this machine names it.
        remote: The folder as jobs name it.
        files: The files in it.
    """

    def __init__(self, local_mount_point: Path, container_mount_point: str, folder: str) -> None:
        """Does nothing yet.

        Args:
            local_mount_point: Where the storage is mounted here.
            container_mount_point: Where it is mounted in jobs.
            folder: The experiment's folder, below `nni` in it.

        Raises:
            TrainingServiceError: The mount point in containers cannot be one.
        """
        if not _MOUNT_POINT.fullmatch(container_mount_point):
            raise TrainingServiceError(
                f"container_storage_mount_point: {container_mount_point!r} cannot be mounted on; allowed is "
                "a whole path such as /mnt/data"
            )
        self.local = local_mount_point / "nni" / folder
        self.remote = f"{container_mount_point.rstrip('/')}/nni/{folder}"
        self.files = MountedFiles(self.local, local_mount_point / "nni")

    async def open(self, mounted: str) -> None:
        """Makes the folder, and tries whether it keeps what is written.

        Args:
            mounted: What should be mounted on the local mount point, for the message that says it is not.

        Raises:
            TrainingServiceError: It cannot be used.
        """
        probe = Probe(self.files, lambda: who_may_write(self.local))
        try:
            await probe.try_here()
        except SharedStorageError as error:
            raise TrainingServiceError(
                f"local_storage_mount_point: {error}; {mounted} must be mounted there, and writable for the "
                "user of the manager"
            ) from error
        finally:
            await probe.remove()

    async def bring(self, archives: Mapping[str, Path]) -> str:
        """Puts files there, unless they are there; returns the folder as jobs name it.

        Raises:
            TrainingServiceError: That does not work.
        """
        for name, path in archives.items():
            try:
                await asyncio.to_thread(self._bring, name, path)
            except (SharedStorageError, OSError) as error:
                raise TrainingServiceError(f"{name} cannot be put into the storage: {error}") from error
        return f"{self.remote}/{ARCHIVES}"

    def _bring(self, name: str, path: Path) -> None:
        digest = _sha256(path).encode()
        target, seal = f"{ARCHIVES}/{name}", f"{ARCHIVES}/{name}.sha256"
        if self.files.size(target) == path.stat().st_size and self.files.read(seal) == digest:
            return
        self.files.remove(seal)
        self.files.upload(path, target)
        self.files.write(seal, digest)

    def wrap(self) -> Callable[[str], str] | None:
        """Returns what has commands of jobs run as the owner of the folder, None where that is root."""
        owner = self.local.stat()
        if owner.st_uid == 0:
            return None
        return lambda command: _AS_OWNER.format(
            command=command,
            folder=shlex.quote(self.remote),
            uid=owner.st_uid,
            gid=owner.st_gid,
            program=shlex.quote(_SWITCH),
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()
