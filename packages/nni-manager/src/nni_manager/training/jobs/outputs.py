"""Brings what trials write in jobs to the experiment's folder: logs while they run, the rest at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nni.courier.trial_files import LOGS, TrialFiles
from nni_config.private_files import write_private_file

from nni_manager.shared_storage.interface import SharedFiles
from nni_manager.training.jobs.platform import JobPlatform
from nni_manager.training.shipping.sizes import size_text
from nni_manager.training.ssh.mirror_folder import MirrorFolder, write_all

logger = logging.getLogger(__name__)

NOTE = ".nni/job_logs.json"
"""Where in the logs here the content of the platform's begins; before it is that of attempts elsewhere."""

MOST_MOUNTED_BYTES = 64 << 20
"""How much a trial may have made that is copied, beside its logs, from a storage that is mounted here."""

MOST_SENT_BYTES = 1 << 30
"""The same for what its job has sent."""

_ALWAYS = ("stdout", "stderr")
_CHUNK = 1 << 20
_OWN = ".nni/"


def is_made(path: str) -> bool:
    """Returns whether a file of a trial is one that the trial made: neither its logs nor what is ours."""
    return path not in LOGS and not path.startswith(_OWN)


class Source(Protocol):
    """Where the files of trials are. Methods block, and may raise OSError or SharedStorageError."""

    def read(self, trial_id: str, path: str, offset: int, length: int) -> bytes:
        """Returns a piece of a file, b"" where there is nothing."""

    def sizes(self, trial_id: str) -> Mapping[str, int]:
        """Returns the files of a trial with their sizes."""

    def is_all_files(self, trial_id: str) -> bool:
        """Returns whether a trial has left nothing but files that can be read."""


class MountedSource:
    """Files in a storage that is mounted here; links in it are not followed."""

    def __init__(self, trials_directory: Path) -> None:
        """Names the folder with one folder for each trial, called "trials"."""
        self._files = TrialFiles(str(trials_directory.parent))

    def read(self, trial_id: str, path: str, offset: int, length: int) -> bytes:
        """Returns a piece of a file."""
        try:
            return self._files.read(trial_id, path, offset, length)
        except FileNotFoundError:
            return b""

    def sizes(self, trial_id: str) -> Mapping[str, int]:
        """Returns the files of a trial with their sizes."""
        return {path: size for path, size, _ in self._files.outputs(trial_id, ["*"]).files}

    def is_all_files(self, trial_id: str) -> bool:
        """Returns whether a trial has left nothing but files that can be read."""
        found = self._files.outputs(trial_id, ["*"])
        return not (found.links or found.others or found.unreadable)


class SentSource:
    """Files that jobs have sent to the storage."""

    def __init__(self, files: SharedFiles) -> None:
        """Names the storage."""
        self._files = files

    def read(self, trial_id: str, path: str, offset: int, length: int) -> bytes:
        """Returns a piece of a file."""
        return self._files.read(f"trials/{trial_id}/{path}", offset, length)

    def sizes(self, trial_id: str) -> Mapping[str, int]:
        """Returns the files of a trial with their sizes."""
        folder = f"trials/{trial_id}"
        return {name.removeprefix(f"{folder}/"): size for name, size in self._files.sizes(folder).items()}

    def is_all_files(self, trial_id: str) -> bool:
        """Returns whether a trial has left nothing but files: nothing else is sent."""
        return True


def source_of(platform: JobPlatform) -> tuple[Source, int]:
    """Returns where the files of trials in a platform's jobs are, and how much a trial may have made.

    Raises:
        OSError: The folder with them cannot be made.
    """
    local = platform.storage.local_trials_directory
    if local is None:
        return SentSource(platform.files), MOST_SENT_BYTES
    local.mkdir(mode=0o700, parents=True, exist_ok=True)  # ours, not that of the first job
    return MountedSource(local), MOST_MOUNTED_BYTES


@dataclass
class JobOutputs:
    """Copies files of trials; methods block, and are called for one trial at a time.

    Attributes:
        source: Where they are.
        platform_name: What the platform is called.
        trials_directory: The folder here with one folder for each trial.
        most_bytes: How much a trial may have made that is copied, beside its logs.
    """

    source: Source
    platform_name: str
    trials_directory: Path
    most_bytes: int
    _bases: dict[str, dict[str, int]] = field(default_factory=dict)

    def copy_logs(self, trial_ids: Iterable[str]) -> None:
        """Copies what logs have beyond what is here.

        Raises:
            OSError, SharedStorageError: They cannot be read or written.
        """
        problem: OSError | None = None
        for trial_id in trial_ids:
            try:
                for name in LOGS:
                    self._copy_log(trial_id, name)
            except OSError as error:  # of one trial, which is no reason to leave the others
                problem = error
        if problem is not None:
            raise problem

    def copy_all(self, trial_id: str) -> None:
        """Copies all that a trial has made, which has ended.

        Raises:
            OSError, SharedStorageError: It cannot be read or written.
        """
        self.copy_logs([trial_id])
        folder = self._folder(trial_id)
        for name, size in folder.sizes(_ALWAYS).items():
            if size < 0:
                folder.write_at(name, 0, b"")
        wanted = self._made(trial_id)
        total = sum(wanted.values())
        if total > self.most_bytes:
            logger.warning(
                "trial %s: what it has made is %s and stays in the storage of %s, beyond its logs; up to %s "
                "are copied",
                trial_id,
                size_text(total),
                self.platform_name,
                size_text(self.most_bytes),
            )
            return
        for path, size in wanted.items():
            try:
                with folder.replaced(path) as descriptor:
                    self._copy_file(trial_id, path, size, descriptor)
            except ValueError as error:
                logger.warning("trial %s: %s", trial_id, error)

    def has_all(self, trial_id: str) -> bool:
        """Returns whether all that a trial has left is here as well, so that it may go there.

        Raises:
            OSError, SharedStorageError: It cannot be read.
        """
        folder = self._folder(trial_id)
        for name in LOGS:
            here = max(0, folder.sizes([name])[name])
            if self.source.read(trial_id, name, max(0, here - self._base(trial_id, name)), 1):
                return False
        made = self._made(trial_id)
        are_here = folder.sizes(made) == made
        return are_here and self.source.is_all_files(trial_id)

    def forget(self, trial_id: str) -> None:
        """Says that a trial is not asked for again soon."""
        self._bases.pop(trial_id, None)

    def _made(self, trial_id: str) -> dict[str, int]:
        """Returns the files that a trial has made, with their sizes."""
        sizes = self.source.sizes(trial_id)
        return {path: size for path, size in sizes.items() if is_made(path)}

    def _copy_file(self, trial_id: str, path: str, size: int, descriptor: int) -> None:
        position = 0
        while position < size:
            data = self.source.read(trial_id, path, position, _CHUNK)
            if not data:
                break
            write_all(descriptor, data)
            position += len(data)

    def _copy_log(self, trial_id: str, name: str) -> None:
        folder = self._folder(trial_id)
        while True:
            here = max(0, folder.sizes([name])[name])
            base = self._base(trial_id, name)
            data = self.source.read(trial_id, name, max(0, here - base), _CHUNK)
            if data:
                folder.write_at(name, here, data)
            if len(data) < _CHUNK:
                return

    def _base(self, trial_id: str, name: str) -> int:
        bases = self._bases.get(trial_id)
        if bases is None:
            bases = self._bases[trial_id] = self._noted(trial_id)
        return bases.get(name, 0)

    def _noted(self, trial_id: str) -> dict[str, int]:
        """Returns where the content of the platform's logs begins here; decided when they are first seen."""
        folder = self._folder(trial_id)
        try:
            note = json.loads((folder.path / NOTE).read_text(encoding="utf-8"))
            if note["platform"] == self.platform_name:
                return {name: int(note["bases"][name]) for name in LOGS}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none yet
        bases = {name: max(0, size) for name, size in folder.sizes(LOGS).items()}
        (folder.path / ".nni").mkdir(mode=0o700, parents=True, exist_ok=True)
        note = {"platform": self.platform_name, "bases": bases}
        write_private_file(folder.path / NOTE, json.dumps(note))
        return bases

    def _folder(self, trial_id: str) -> MirrorFolder:
        return MirrorFolder(self.trials_directory / trial_id)
