"""The files of trials, as their machine has them: what grew, what there is, what is removed.

No link is followed: a trial decides about its own folder only.
"""

from __future__ import annotations

import fnmatch
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from nni.trial_folder import TrialFolder

LOGS = ("stdout", "stderr", "trial.log")
"""What is followed while a trial runs."""

RECORDS = ("parameters.json", "run.json", "exit.json", "done.json", "reports.jsonl")
"""What is ours in the folder of an attempt and tells what became of it."""

MAX_DEPTH = 100
"""How deep folders may be nested."""

_OWN = ".nni"
_LABEL = "label"


class Outputs(NamedTuple):
    """What a trial has made; paths are relative to its folder.

    Attributes:
        files: Path, size, and whether it may be executed.
        links: Path and target.
        others: Sockets and the like.
        unreadable: Path of a file or folder, and why.
    """

    files: List[Tuple[str, int, bool]]
    links: List[Tuple[str, str]]
    others: List[str]
    unreadable: List[Tuple[str, str]]


class TrialFiles:
    """The files of the trials of one experiment."""

    def __init__(self, experiment_directory: str) -> None:
        """Reads nothing yet.

        Args:
            experiment_directory: The experiment's folder on this machine.
        """
        self._directory = experiment_directory

    def label(self, trial_id: str) -> str:
        """Returns what tells the trial's folder from one that had its place before, made when it is missing.

        Raises:
            OSError: The trial has no folder.
        """
        path = os.path.join(self.folder(trial_id), _OWN, _LABEL)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            with open(path, encoding="ascii") as file:
                return file.read(64)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            name = secrets.token_hex(8)
            file.write(name)
        return name

    def folder(self, trial_id: str) -> str:
        """Returns the path of a trial's folder.

        Raises:
            ValueError: The id is not one that may be part of a path.
        """
        return TrialFolder(self._directory, trial_id, 0).output_directory

    def trials(self) -> Dict[str, List[int]]:
        """Returns the trials that have a folder here, each with its attempts."""
        found: Dict[str, List[int]] = {}
        top = os.path.join(self._directory, "trials")
        with suppress(FileNotFoundError):
            for trial_id in os.listdir(top):
                found[trial_id] = _attempts(os.path.join(top, trial_id))
        return found

    def finished(self) -> List[Tuple[str, int]]:
        """Returns the attempts that ended before their process did: those of scripts that loop."""
        top = os.path.join(self._directory, "trials")
        return [
            (trial_id, attempt)
            for trial_id, attempts in self.trials().items()
            for attempt in attempts
            if os.path.exists(os.path.join(top, trial_id, _OWN, str(attempt), "done.json"))
        ]

    def read(self, trial_id: str, path: str, offset: int, length: int) -> bytes:
        """Returns a piece of a regular file, shorter where the file ends.

        Raises:
            OSError: There is no such file, or a link on the way.
        """
        with self._opened(trial_id, path) as descriptor:
            return os.pread(descriptor, length, offset)

    def size(self, trial_id: str, path: str) -> int:
        """Returns the size of a regular file.

        Raises:
            OSError: There is no such file, or a link on the way.
        """
        with self._opened(trial_id, path) as descriptor:
            return os.fstat(descriptor).st_size

    def records(self, trial_id: str, attempt: int) -> List[Tuple[str, int]]:
        """Returns the paths and sizes of what is ours of an attempt."""
        found = []
        for name in RECORDS:
            path = f"{_OWN}/{int(attempt)}/{name}"
            with suppress(OSError):
                found.append((path, self.size(trial_id, path)))
        return found

    def outputs(self, trial_id: str, patterns: Sequence[str]) -> Outputs:
        """Looks for what a trial has made, its logs left out.

        Args:
            trial_id: The trial.
            patterns: Which files are wanted; "*" stands for any characters, "/" among them.
        """
        found = Outputs([], [], [], [])
        for path, entry in self._walk(self.folder(trial_id), "", found.unreadable):
            if not any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found.files.append((path, status.st_size, bool(status.st_mode & 0o100)))
                elif stat.S_ISLNK(status.st_mode):
                    found.links.append((path, os.readlink(entry.path)))
                else:
                    found.others.append(path)
            except OSError as error:
                found.unreadable.append((path, error.strerror or str(error)))
        return found

    def remove(self, trial_id: str, attempts: Sequence[int]) -> bool:
        """Removes the folder of a trial unless it has other attempts than these; returns whether it is gone.

        Raises:
            OSError: It cannot be removed.
        """
        folder = self.folder(trial_id)
        if set(_attempts(folder)) - set(attempts):
            return False
        _remove_tree(folder)
        return True

    def remove_outputs(self, trial_id: str) -> None:
        """Removes what a trial has made, but its logs and what is ours: a process may write there still.

        Raises:
            OSError: It cannot be removed.
        """
        folder = self.folder(trial_id)
        for name in os.listdir(folder):
            if name != _OWN and name not in LOGS:
                _remove_tree(os.path.join(folder, name))

    @contextmanager
    def _opened(self, trial_id: str, path: str) -> Iterator[int]:
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{path!r} is not a path in a trial's folder")
        folder = os.open(self.folder(trial_id), os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            descriptor = os.open(parts[-1], flags, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{path!r} is not a file")
            yield descriptor
        finally:
            os.close(descriptor)

    def _walk(
        self, top: str, prefix: str, unreadable: List[Tuple[str, str]]
    ) -> Iterator[Tuple[str, "os.DirEntry[Any]"]]:
        try:
            entries = sorted(os.scandir(os.path.join(top, prefix)), key=lambda entry: entry.name)
        except OSError as error:
            unreadable.append((prefix or ".", error.strerror or str(error)))
            return
        for entry in entries:
            path = f"{prefix}{entry.name}"
            if not prefix and (entry.name == _OWN or entry.name in LOGS):
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield path, entry
            elif path.count("/") >= MAX_DEPTH:
                unreadable.append((path, f"nested more than {MAX_DEPTH} folders deep"))
            else:
                yield from self._walk(top, f"{path}/", unreadable)


def _attempts(folder: str) -> List[int]:
    try:
        names = os.listdir(os.path.join(folder, _OWN))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(name) for name in names if name.isdigit())


def _remove_tree(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:  # a trial may have taken the rights to its own folders
        os.chmod(path, 0o700)
        for top, folders, _ in os.walk(path):
            for name in folders:
                inner = os.path.join(top, name)
                if not os.path.islink(inner):
                    os.chmod(inner, 0o700)
        shutil.rmtree(path)
