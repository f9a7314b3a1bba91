"""Loads the archive of an experiment: wholly, or nothing of it."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_config.experiment_folders import find_experiment, remember_experiments_directory
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN
from nni_config.orphan_trials import processes_of

from nni_client.archive_check import CheckedEntry, check_archive
from nni_client.archive_layout import CODE, EXPERIMENT, RECORD, ArchiveError, Manifest, time_in
from nni_client.new_identity import give_new_id
from nni_client.record_copy import fit_record

_KEPT_FREE_BYTES = 64 * 1024**2
_LATEST_TIME = 2**62


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment that was loaded.

    Attributes:
        path: Its folder.
        experiment_id: Its id.
        manifest: What the archive said of itself.
        config: Its recorded configuration, with the folders of this machine.
        code: Where the trials' code is now; None when no folder was named.
    """

    path: Path
    experiment_id: str
    manifest: Manifest
    config: dict[str, Any]
    code: Path | None


def load_experiment(
    file: Path,
    directory: Path,
    code: Path | None = None,
    max_bytes: int | None = None,
    new_id: str | None = None,
) -> LoadedExperiment:
    """Loads an experiment. After a failure everything is as it was.

    Args:
        file: The archive.
        directory: The folder that is to hold the experiment's folder; made if there is none.
        code: Where the trials' code is to go, a new or empty folder, if it is in the archive; else where it
            is. None keeps the recorded folder and unpacks no code.
        max_bytes: How large the files may be together; None for what is usual for an archive of its size.
        new_id: The id that it is to have, from which the ids of its trials follow; None for the one it has.

    Raises:
        ArchiveError: The file is no such archive, must not be unpacked, or there is an experiment of its id
            or code already.
        OSError: Something cannot be read or written.
        ValueError: The new id is none.
    """
    if new_id is not None and not EXPERIMENT_ID_PATTERN.fullmatch(new_id):
        raise ValueError(f'{new_id!r} is no id of an experiment: 1 to 32 letters, digits, "_" or "-" are')
    with _errors_of(file), zipfile.ZipFile(file) as archive:
        manifest, entries = check_archive(archive, file.stat().st_size, max_bytes)
        experiment = [it for it in entries if it.root == EXPERIMENT]
        code_entries = [it for it in entries if it.root == CODE] if code is not None else []
        experiment_id = new_id or manifest.experiment_id
        _refuse_existing(experiment_id, directory)
        if code is not None:
            code = code.resolve()
            _check_code(code, manifest.has_code)
        directory.mkdir(parents=True, exist_ok=True)
        directory = directory.resolve()
        _check_space(directory, [*experiment, *code_entries])
        path = directory / experiment_id
        with _beside(path) as new:
            _unpack(archive, experiment, new)
            config = fit_record(new / RECORD, manifest.experiment_id, directory, code)
            if experiment_id != manifest.experiment_id:
                give_new_id(new, new / RECORD, experiment_id)
            if code is not None and manifest.has_code:
                with _beside(code) as new_code:
                    _unpack(archive, code_entries, new_code)
                    _put(new, path)
                    _put_code(new_code, code, path)
            else:
                _put(new, path)
    remember_experiments_directory(directory)
    return LoadedExperiment(path, experiment_id, manifest, config, code)


def _refuse_existing(experiment_id: str, directory: Path) -> None:
    path = directory / experiment_id
    found = find_experiment(experiment_id)
    if os.path.lexists(path) or found is not None:
        where = path if found is None else found.path
        raise ArchiveError(
            f"there is an experiment {experiment_id} already, in {where}; --id loads it under another id"
        )
    processes = processes_of(experiment_id)
    if processes:
        raise ArchiveError(
            f"trials of an experiment {experiment_id} run on this machine (process {processes[0]}), "
            "and those of two experiments of one id cannot be told apart; stop it first, or load this one "
            "under another id, with --id"
        )


def _check_code(code: Path, has_code: bool) -> None:
    if not has_code and not code.is_dir():
        raise ArchiveError(f"the trials' code is not in it, and {code} is no folder that has it")
    if has_code and code.exists() and (not code.is_dir() or any(code.iterdir())):
        raise ArchiveError(f"the trials' code is in it, and {code} is not empty; name a new or empty folder")


def _check_space(directory: Path, entries: Sequence[CheckedEntry]) -> None:
    needed = sum(it.info.file_size for it in entries)
    free = shutil.disk_usage(directory).free
    if needed + _KEPT_FREE_BYTES > free:
        raise ArchiveError(f"its files take {needed} bytes, and the disk of {directory} has {free} left")


def _unpack(archive: zipfile.ZipFile, entries: Sequence[CheckedEntry], folder: Path) -> None:
    for entry in entries:
        place = folder / entry.name
        if entry.kind == stat.S_IFDIR:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif entry.kind == stat.S_IFREG:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _unpack_file(archive, entry, place)
    # Last, so that nothing is ever written through one.
    for entry in entries:
        if entry.kind == stat.S_IFLNK:
            place = folder / entry.name
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.symlink_to(entry.target)


def _unpack_file(archive: zipfile.ZipFile, entry: CheckedEntry, place: Path) -> None:
    may_be_run = (entry.info.external_attr >> 16) & stat.S_IXUSR
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        descriptor = os.open(place, flags, 0o700 if may_be_run else 0o600)
    except FileExistsError:
        # Where names that differ in upper and lower case alone are the same.
        raise ArchiveError(
            f"its entry {entry.info.filename!r:.120} has the name of another one here"
        ) from None
    with os.fdopen(descriptor, "wb") as target, archive.open(entry.info) as source:
        shutil.copyfileobj(source, target, 1024 * 1024)
        target.flush()
        modified = time_in(entry.info.extra)
        if modified is not None and 0 <= modified < _LATEST_TIME:
            # Large files of the code are known by it.
            os.utime(descriptor, ns=(modified, modified))


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Makes a folder beside the place where it is to go, and removes it if it does not get there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".loading-{path.name[:100]}-{secrets.token_hex(4)}")
    temporary.mkdir(mode=0o700)
    try:
        yield temporary
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def _put(new: Path, path: Path) -> None:
    if os.path.lexists(path):
        raise ArchiveError(f"there is something at {path} by now")
    new.rename(path)


def _put_code(new_code: Path, code: Path, experiment: Path) -> None:
    """Puts the code in its place, an empty folder at most; if that fails the experiment goes again."""
    try:
        new_code.rename(code)
    except BaseException:
        shutil.rmtree(experiment)
        raise


@contextmanager
def _errors_of(file: Path) -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{file} cannot be loaded: {error}") from error
    except sqlite3.Error as error:
        raise ArchiveError(f"{file} cannot be loaded: its record is not as it should be: {error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ArchiveError(f"{file} cannot be loaded: it is no zip file or is damaged: {error}") from error
