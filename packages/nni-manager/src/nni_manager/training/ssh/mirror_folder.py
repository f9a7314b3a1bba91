"""The folder here of a trial that runs elsewhere. Names come from there, so no path may lead out of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

_MAX_NAME_BYTES = 255
_MAX_DEPTH = 200


def checked_parts(path: str) -> list[str]:
    """Returns the parts of a relative path that leads nowhere but down.

    Raises:
        ValueError: It is another one.
    """
    parts = path.split("/")
    for part in parts:
        if part in ("", ".", "..") or "\0" in part or len(os.fsencode(part)) > _MAX_NAME_BYTES:
            raise ValueError(f"{path!r:.200} is not a path in a trial's folder")
    if len(parts) > _MAX_DEPTH:
        raise ValueError(f"{path!r:.200} has more than {_MAX_DEPTH} folders")
    return parts


class MirrorFolder:
    """Writes below one folder, never through a link."""

    def __init__(self, path: Path) -> None:
        """Creates nothing yet.

        Args:
            path: The folder.
        """
        self.path = path

    def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Returns the sizes of files directly in the folder, -1 for those that are not there."""
        top = os.fspath(self.path)
        return {name: _size(f"{top}/{name}") for name in names}

    def write_at(self, name: str, offset: int, data: bytes, *, cut: bool = False) -> None:
        """Writes a piece of a file, which is made if it is missing.

        Args:
            name: The path of the file.
            offset: Where the piece belongs.
            data: The piece.
            cut: Whether nothing is to follow it.

        Raises:
            OSError: It cannot be written.
            ValueError: The path leads out of the folder.
        """
        self.write_pieces([(name, offset, data, cut)])

    def write_pieces(self, pieces: Sequence[tuple[str, int, bytes, bool]]) -> None:
        """Writes pieces of files in one folder, each with what `write_at` takes.

        Raises:
            OSError: One cannot be written.
            ValueError: The path of one leads out of the folder.
        """
        for above, together in groupby(pieces, lambda piece: piece[0].rpartition("/")[0]):
            with self._parent(f"{above}/x" if above else "x") as (folder, _):
                for name, offset, data, cut in together:
                    last = checked_parts(name)[-1]
                    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
                    descriptor = os.open(last, flags, 0o600, dir_fd=folder)
                    try:
                        if offset and data:
                            os.lseek(descriptor, offset, os.SEEK_SET)
                        write_all(descriptor, data)
                        if cut:
                            os.ftruncate(descriptor, offset + len(data))
                    finally:
                        os.close(descriptor)

    @contextmanager
    def replaced(self, name: str, *, executable: bool = False) -> Iterator[int]:
        """Gives a descriptor to write a file that takes its place when the block ends well.

        Args:
            name: The path of the file.
            executable: Whether it may be executed.

        Raises:
            OSError: It cannot be written.
            ValueError: The path leads out of the folder.
        """
        with self._parent(name) as (folder, last):
            unfinished = f".nni-{secrets.token_hex(8)}"
            mode = 0o700 if executable else 0o600
            descriptor = os.open(
                unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=folder
            )
            try:
                try:
                    yield descriptor
                finally:
                    os.close(descriptor)
                os.replace(unfinished, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=folder)
                raise

    def link(self, name: str, target: str) -> None:
        """Makes a link to something beside or below it.

        Raises:
            OSError: It cannot be made.
            ValueError: It would lead elsewhere.
        """
        checked_parts(target)  # without "..": no chain of such links leads out either
        with self._parent(name) as (folder, last):
            unfinished = f".nni-{secrets.token_hex(8)}"
            os.symlink(target, unfinished, dir_fd=folder)
            try:
                os.replace(unfinished, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(unfinished, dir_fd=folder)
                raise

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """Opens the folder that a file is in, with those above it that are missing."""
        *above, last = checked_parts(path)
        folder = _opened(self.path)
        try:
            for name in above:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=folder)
                inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder, last
        finally:
            os.close(folder)


def _opened(path: Path) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags)


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return -1


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it.

    Raises:
        OSError: It cannot be written.
    """
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(descriptor, view[written:])
