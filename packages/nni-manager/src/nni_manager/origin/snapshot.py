"""One copy of a code folder, for all trials to run in."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from pathlib import Path

from nni_manager.code_folder.code_files import NEVER_CODE, CodePath, Kind, code_paths, is_environment
from nni_manager.code_folder.links import link_text_inside

MOST_FILES = 10_000
MOST_BYTES = 1 << 30
"""A code folder with more is refused: what makes it large is data, which is not to be copied."""

_NAMED = 5
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
    copy = _Copy(folder, unfinished)
    try:
        unfinished.mkdir(mode=0o700)
        for code_path in code_paths(folder, experiments_directory, copy.unreadable.append):
            copy.add(code_path)
        copy.finish()
        unfinished.rename(target)
    except OSError as error:
        raise SnapshotError(f"snapshot_code: {folder} cannot be copied to {target}: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


class _Copy:
    """A copy in the making."""

    def __init__(self, source: Path, target: Path) -> None:
        self.unreadable: list[OSError] = []
        self._source = source.absolute()
        self._target = target
        self._file_count = 0
        self._byte_count = 0
        self._links: list[str] = []
        self._outside: list[str] = []
        self._special: list[str] = []

    def add(self, code_path: CodePath) -> None:
        """Copies one path; the folder that it is in was added before."""
        source, target = self._source / code_path.path, self._target / code_path.path
        match code_path.kind:
            case Kind.FILE:
                self._copy_file(source, target)
            case Kind.FOLDER:
                target.mkdir(mode=0o700)
            case Kind.ENVIRONMENT:
                target.symlink_to(source, target_is_directory=True)
            case Kind.LINK:
                self._copy_link(code_path.path, source, target)
            case Kind.SPECIAL:
                self._special.append(code_path.path)

    def finish(self) -> None:
        """Tells what is unlike the original."""
        if self.unreadable:
            errors = "; ".join(str(error) for error in self.unreadable[:_NAMED])
            more = f"; and {len(self.unreadable) - _NAMED} more" if len(self.unreadable) > _NAMED else ""
            raise SnapshotError(
                f"snapshot_code: these cannot be read: {errors}{more}. "
                "Make them readable, or name them in .nniignore"
            )
        for path in self._outside:
            _LOG.warning("snapshot_code: a link out of the code folder was replaced by a copy: %s", path)
        for path in self._special:
            _LOG.warning("snapshot_code: not a file, left out: %s", ascii(path))
        for path in self._links:
            if (self._source / path).exists() and not (self._target / path).exists():
                _LOG.warning("snapshot_code: a link to what .nniignore leaves out: %s", ascii(path))

    def _copy_file(self, source: Path, target: Path) -> None:
        try:
            file = source.open("rb")
        except OSError as error:
            self.unreadable.append(error)
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

    def _copy_link(self, path: str, source: Path, target: Path) -> None:
        text = os.readlink(source)  # noqa: PTH115  Path would change its text
        inside = link_text_inside(str(self._source), path, text)
        if inside is not None:
            target.symlink_to(inside)
            self._links.append(path)
            return
        self._outside.append(f"{path!a} -> {text!a}")
        self._copy_target(source, target, ())

    def _copy_target(self, source: Path, target: Path, above: tuple[str, ...]) -> None:
        """Copies what a path outside is or points to; what it points to nothing stays a link.

        Args:
            source: The path.
            target: Where the copy goes.
            above: The folders that are being copied, links resolved.
        """
        if source.is_file():
            self._copy_file(source, target)
        elif not source.is_dir():
            if source.is_symlink():
                target.symlink_to(os.readlink(source))  # noqa: PTH115
            else:
                self._special.append(str(source))
        elif is_environment(source):
            target.symlink_to(source.resolve(), target_is_directory=True)
        else:
            self._copy_folder(source, target, above)

    def _copy_folder(self, source: Path, target: Path, above: tuple[str, ...]) -> None:
        real = str(source.resolve())
        if real in above or self._source.resolve().is_relative_to(real):
            raise SnapshotError(
                f"snapshot_code: the link {source} leads to a folder that holds itself; "
                "name the link in .nniignore"
            )
        target.mkdir(mode=0o700)
        try:
            paths = sorted(source.iterdir(), key=os.fsencode)
        except OSError as error:
            self.unreadable.append(error)
            return
        for path in paths:
            if path.name not in NEVER_CODE:
                self._copy_target(path, target / path.name, (*above, real))
