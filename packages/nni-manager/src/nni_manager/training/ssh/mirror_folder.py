"""The folder here of a trial that runs elsewhere. Names come from there, so no path may lead out of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

    def size(self, name: str) -> int:
        """Returns the size of a file directly in the folder, 0 if there is none."""
        try:
            return (self.path / name).lstat().st_size
        except FileNotFoundError:
            return 0

    def has(self, name: str) -> bool:
        """Returns whether there is something of that name directly in the folder."""
        return os.path.lexists(self.path / name)

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
        with self._parent(name) as (folder, last):
            descriptor = os.open(last, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                file.seek(offset)
                write_all(descriptor, data)
                if cut:
                    file.truncate(offset + len(data))

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
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
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


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it.

    Raises:
        OSError: It cannot be written.
    """
    with memoryview(data) as view:
        written = 0
        while written < len(view):
            written += os.write(descriptor, view[written:])
