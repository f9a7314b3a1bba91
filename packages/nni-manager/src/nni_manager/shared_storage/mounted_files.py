"""The files of an experiment in a folder: a mounted storage, or any folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from nni_manager.shared_storage.interface import SharedStorageError, checked_name

_PRIVATE = 0o700


class MountedFiles:
    """Keeps the promises of SharedFiles for a folder."""

    costs_requests = False

    def __init__(self, directory: Path, shared: Path | None = None) -> None:
        """Names the folder, which is made when something is written.

        Args:
            directory: The folder.
            shared: One above it that other users have theirs in too: when it is made, whoever may make
                folders beside it may make some in it. All others are private. None where there is none.
        """
        self._directory = directory
        self._shared = shared

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Returns what a file holds from a position on; b"" where there is nothing."""
        with self._explained("read", name):
            try:
                # Opened anew each time: over NFS that is what makes another machine's writes visible.
                with self._path(name).open("rb", buffering=0) as file:
                    file.seek(offset)
                    return _read(file.fileno(), limit)
            except FileNotFoundError:
                return b""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file, whole or not at all."""
        with self._explained("written", name), _replacing(self._path(name), self._shared) as descriptor:
            _write(descriptor, data)

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes."""
        with self._explained("written", name):
            path = self._path(name)
            _make_folder(path.parent, self._shared)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                begun = size - position
                if not 0 <= begun <= len(data) or os.pread(descriptor, begun, position) != data[:begun]:
                    raise SharedStorageError(
                        f"{path} has {size} bytes and {position} were expected: somebody else writes to it"
                    )
                _write(descriptor, data[begun:])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def upload(self, local: Path, name: str) -> None:
        """Puts a local file there, whole or not at all."""
        with (
            local.open("rb") as source,
            self._explained("written", name),
            _replacing(self._path(name), self._shared) as descriptor,
            os.fdopen(descriptor, "wb", closefd=False) as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)

    def download(self, name: str, local: Path) -> None:
        """Fetches a file to a local place; it appears there when it is complete."""
        with self._explained("read", name):
            source = self._path(name).open("rb")
        with source, _replacing(local) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def size(self, name: str) -> int:
        """Returns how many bytes a file has, 0 where there is none."""
        with self._explained("read", name):
            try:
                return self._path(name).stat().st_size
            except FileNotFoundError:
                return 0

    def names(self, folder: str = "") -> list[str]:
        """Returns the files in a folder, and in those below it, sorted."""
        return sorted(self.sizes(folder))

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Returns the files in a folder, and in those below it, with their sizes."""
        top = self._path(folder) if folder else self._directory
        found = {}
        with self._explained("listed", folder or "."):
            for place, _, names in os.walk(top, onerror=_raise_unless_missing):
                for path in (Path(place, name) for name in names):
                    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                        found[path.relative_to(self._directory).as_posix()] = path.lstat().st_size
        return found

    def grown(self, folder: str, known: Mapping[str, int]) -> set[str]:
        """Returns which files hold more than so many bytes."""
        # Read rather than asked for their size: over NFS that is what shows another machine's writes.
        return {name for name, size in known.items() if self.read(name, size, 1)}

    def remove(self, name: str) -> None:
        """Removes a file, or a folder with all that is in it."""
        path = self._path(name)
        with self._explained("removed", name):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def remove_empty_folders(self) -> None:
        """Removes folders without a file, the experiment's own and the one that it is in among them."""
        below = [Path(place) for place, _, _ in os.walk(self._directory, topdown=False)]
        for path in (*below, self._directory.parent):
            with contextlib.suppress(OSError):  # it is not empty, or another has removed it
                path.rmdir()

    def _path(self, name: str) -> Path:
        return self._directory / checked_name(name)

    @contextlib.contextmanager
    def _explained(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            path = self._directory / name
            raise SharedStorageError(f"{path} cannot be {what}: {error.strerror or error}") from error


@contextlib.contextmanager
def _replacing(path: Path, shared: Path | None = None) -> Iterator[int]:
    """Gives a descriptor to write to, and puts the file in its place at the end."""
    _make_folder(path.parent, shared)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".nni-")
    try:
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        Path(unfinished).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(unfinished).unlink()
        raise


def _make_folder(path: Path, shared: Path | None) -> None:
    if path.is_dir():
        return
    _make_folder(path.parent, shared)
    path.mkdir(_PRIVATE, exist_ok=True)
    if path == shared:
        with contextlib.suppress(OSError):  # another user made it at the same time, or it knows no modes
            _open_as_wide_as_above(path)


def _open_as_wide_as_above(folder: Path) -> None:
    """Lets all use a folder who may use the one above, so that each has their own in it."""
    above = folder.parent.stat()
    mode = stat.S_IMODE(above.st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode |= stat.S_ISVTX
    os.chown(folder, -1, above.st_gid)
    folder.chmod(mode)


def _read(descriptor: int, limit: int | None) -> bytes:
    parts = []
    while limit is None or limit > 0:
        data = os.read(descriptor, 1 << 20 if limit is None else min(limit, 1 << 20))
        if not data:
            break
        parts.append(data)
        limit = None if limit is None else limit - len(data)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
