"""One copy of a code folder, for all trials to run in."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from pathlib import Path

from nni_manager.code_folder.code_files import Kind
from nni_manager.code_folder.contents import Contents, Entry, listed

MOST_FILES = 10_000
MOST_BYTES = 1 << 30
"""A code folder with more is refused: what makes it large is data, which is not to be copied."""

_LOG = logging.getLogger(__name__)


class SnapshotError(Exception):
    """The code cannot be copied; the text says why and what to do."""


def take_snapshot(folder: Path, experiments_directory: Path, target: Path) -> None:
    """Copies a code folder: wholly, or not at all.

    What `code_paths` leaves out is left out. Links that stay inside stay links; what other links point to is
    copied in their place, and each of them is logged. Virtual environments are linked to, since a copy of one
    does not work.

    Args:
        folder: The code folder.
        experiments_directory: Where the folders of experiments are.
        target: The copy, which is not there yet; it gets mode 0700.

    Raises:
        SnapshotError: Something cannot be read, the folder is too large, or the copy cannot be written.
    """
    unfinished = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    copy = _Copy(folder, experiments_directory, unfinished)
    try:
        copy.make()
        unfinished.rename(target)
    except OSError as error:
        raise SnapshotError(f"snapshot_code: {folder} cannot be copied to {target}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


class _Copy:
    """A copy in the making."""

    def __init__(self, source: Path, experiments_directory: Path, target: Path) -> None:
        self._source = source.absolute()
        self._contents = Contents(source, experiments_directory)
        self._target = target
        self._file_count = 0
        self._byte_count = 0

    def make(self) -> None:
        """Copies everything and tells what is unlike the original."""
        self._target.mkdir(mode=0o700)
        for entry in self._contents:
            self._add(entry)
        if self._contents.problems:
            raise SnapshotError(
                f"snapshot_code: {self._source} cannot be copied: {listed(self._contents.problems)}. "
                "Change that, or name it in .nniignore"
            )
        for link in self._contents.outside:
            _LOG.warning("snapshot_code: a link out of the code folder was replaced by a copy: %s", link)
        for path in self._contents.special:
            _LOG.warning("snapshot_code: not a file, left out: %s", ascii(path))
        for path in self._contents.kept:
            if (self._source / path).exists() and not (self._target / path).exists():
                _LOG.warning("snapshot_code: a link to what .nniignore leaves out: %s", ascii(path))

    def _add(self, entry: Entry) -> None:
        target = self._target / entry.path
        match entry.kind:
            case Kind.FILE:
                self._copy_file(entry.source, target)
            case Kind.FOLDER:
                target.mkdir(mode=0o700)
            case Kind.ENVIRONMENT:
                target.symlink_to(entry.source, target_is_directory=True)
            case _:
                target.symlink_to(entry.text)

    def _copy_file(self, source: Path, target: Path) -> None:
        try:
            file = source.open("rb")
        except OSError as error:
            self._contents.unreadable(error)
            return
        with file:
            status = os.fstat(file.fileno())
            self._file_count += 1
            self._byte_count += status.st_size
            if self._file_count > MOST_FILES or self._byte_count > MOST_BYTES:
                raise SnapshotError(
                    f"snapshot_code: {self._source} holds more than {MOST_FILES} files or "
                    f"{MOST_BYTES >> 20} MiB; name in .nniignore, in the form of .gitignore, what trials do "
                    "not need or can read where it is"
                )
            with target.open("xb") as copy:
                shutil.copyfileobj(file, copy)
        target.chmod(status.st_mode & 0o777)
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
