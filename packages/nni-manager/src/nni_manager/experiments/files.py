"""The files below one folder, for readers that may see nothing else: no link leads out of it.

Links inside the folder work. A path is resolved first; what it leads to is then opened without following any
link, so that a program that swaps a folder for a link meanwhile gains nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nni_manager.experiments.errors import FileMissingError, InvalidArgumentError

OWN_FOLDER = ".nni"
"""What is the manager's own in a trial's folder. It is neither listed nor read."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that can be read.

    Attributes:
        path: Its path in the folder.
        size: Its size in bytes.
        modified_at: When it was last written, in seconds since 1970.
    """

    path: str
    size: int
    modified_at: float


def list_files(folder: Path) -> list[FoundFile]:
    """Returns the regular files below a folder, by path, and links to some that stay inside.

    What vanishes meanwhile, what cannot be looked into, and names that are not UTF-8 are left out.
    """
    found = []
    pending = [""]
    while pending:
        parent = pending.pop()
        for entry in _entries(folder / parent):
            path = f"{parent}{entry.name}"
            if path == OWN_FOLDER or not _is_text(entry.name):
                continue
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    found.append(_found(path, entry.stat(follow_symlinks=False)))
                elif entry.is_symlink() and entry.is_file():
                    with suppress(InvalidArgumentError):
                        _resolved(folder, path)
                        found.append(_found(path, entry.stat()))
    return sorted(found, key=lambda file: file.path)


def open_file(folder: Path, path: str) -> int:
    """Opens a regular file below a folder for reading and returns its descriptor. It never blocks.

    Args:
        folder: The folder.
        path: The file's path in it, as `list_files` gives it.

    Raises:
        InvalidArgumentError: The path leads out of the folder, or to something that is no regular file.
        FileMissingError: There is no such file, or it may not be read.
    """
    _check(path)
    try:
        *parents, name = _resolved(folder, path)
        descriptor = os.open(folder, _FOLDER_FLAGS)
        try:
            for parent in parents:
                inner = os.open(parent, _FOLDER_FLAGS, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            # Before it is opened: that alone would wake the writer of a pipe.
            _check_regular(os.stat(name, dir_fd=descriptor, follow_symlinks=False), path)
            file = os.open(name, _FILE_FLAGS, dir_fd=descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise FileMissingError(f"there is no {folder / path}") from None
    except OSError as error:
        raise FileMissingError(f"{folder / path} cannot be read: {error.strerror}") from error
    try:
        _check_regular(os.fstat(file), path)
    except InvalidArgumentError:
        os.close(file)
        raise
    return file


def _check(path: str) -> None:
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidArgumentError(f"path: {path!r} is not the path of a file in the folder, such as stdout")
    if parts[0] == OWN_FOLDER:
        raise InvalidArgumentError(f"path: {path!r} is the manager's own and not shown")


def _resolved(folder: Path, path: str) -> tuple[str, ...]:
    """Returns the parts of a path with all links resolved.

    Raises:
        InvalidArgumentError: It leads out of the folder, or to what is the manager's own.
        OSError: There is no such file.
    """
    if folder.is_symlink():
        raise InvalidArgumentError(f"path: the folder {folder} is a link, and links are not followed")
    try:
        real = Path(os.path.realpath(folder / path, strict=True))
        parts = real.relative_to(os.path.realpath(folder)).parts
    except ValueError:
        raise InvalidArgumentError(f"path: {path!r} is a link that leads out of {folder}") from None
    if parts[:1] in ((), (OWN_FOLDER,)):
        raise InvalidArgumentError(f"path: {path!r} is a link to what is not shown")
    return parts


def _check_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
        raise InvalidArgumentError(f"path: {path!r} is {kind}, not a file")


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _is_text(name: str) -> bool:
    return name.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in name)


def _found(path: str, status: os.stat_result) -> FoundFile:
    return FoundFile(path, status.st_size, status.st_mtime)
