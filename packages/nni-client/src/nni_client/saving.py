"""Saves an experiment as one archive, to be loaded on another machine."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

from nni_config.experiment_folders import FolderKind, FolderSummary

from nni_client.archive_files import SavedFile, code_files, experiment_files
from nni_client.archive_layout import CODE, EXPERIMENT, MANIFEST, RECORD, ArchiveError, Manifest, time_field
from nni_client.record_copy import code_directory_of, copy_record

_PRIVATE = 0o600


def save_experiment(
    folder: FolderSummary, file: Path, with_code: bool = False, force: bool = False
) -> list[str]:
    """Saves an experiment, whole or not at all. One that runs is saved as it is at this moment.

    Args:
        folder: The experiment.
        file: The archive to write.
        with_code: Whether to save the trials' code too.
        force: Whether to replace the archive if there is one.

    Returns:
        What was left out and why, one line each.

    Raises:
        ArchiveError: There is no record, or there is an archive already.
        OSError: Something cannot be read or written.
    """
    if folder.kind is FolderKind.OLD:
        raise ArchiveError(
            f"Experiment {folder.experiment_id} was made by Microsoft's NNI; copy its folder {folder.path}"
        )
    if not folder.has_record:
        raise ArchiveError(f"Experiment {folder.experiment_id} has no record: it was never started")
    if file.exists() and not force:
        raise ArchiveError(f"{file} exists already; --force replaces it")
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        left_out = _save(folder, temporary, with_code)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return left_out


def _save(folder: FolderSummary, file: Path, with_code: bool) -> list[str]:
    left_out: list[str] = []
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with (
        os.fdopen(descriptor, "w+b") as output,
        zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive,
        tempfile.TemporaryDirectory(dir=file.parent, prefix=".saving-") as place,
    ):
        # The record first: files may then have more than it knows of, never less.
        record = Path(place) / "record"
        try:
            config = copy_record(folder.path / RECORD, record)
        except ArchiveError as error:
            raise ArchiveError(f"Experiment {folder.experiment_id} cannot be saved: {error}") from error
        code = _code(folder.experiment_id, code_directory_of(config)) if with_code else None
        manifest = Manifest(
            folder.experiment_id,
            has_code=with_code,
            was_running=folder.is_running,
            saved_at=time.time(),
            version=importlib.metadata.version("nni-client"),
        )
        archive.writestr(_entry(MANIFEST, stat.S_IFREG | _PRIVATE), manifest.to_json())
        _add(archive, EXPERIMENT, [SavedFile(RECORD, record, stat.S_IFREG | _PRIVATE)])
        # The archive itself may be made in what it has to hold.
        apart = {it.resolve() for it in (file, Path(place))}
        _add(archive, EXPERIMENT, experiment_files(folder.path.resolve(), apart, left_out))
        if code is not None:
            _add(archive, CODE, code_files(code.resolve(), apart, left_out))
    return left_out


def _code(experiment_id: str, directory: Path | None) -> Path:
    if directory is None or not directory.is_dir():
        raise ArchiveError(
            f"Experiment {experiment_id}: the folder of the trials' code, {directory}, is gone; without "
            "--saveCodeDir the experiment is saved without it"
        )
    return directory


def _add(archive: zipfile.ZipFile, root: str, files: Iterable[SavedFile]) -> None:
    for file in files:
        name = f"{root}/{file.name}"
        if stat.S_ISDIR(file.mode):
            archive.writestr(_entry(f"{name}/", file.mode), b"")
        elif stat.S_ISLNK(file.mode):
            target = os.readlink(file.path)  # noqa: PTH115  as it is written
            archive.writestr(_entry(name, file.mode), target.encode())
        else:
            _add_file(archive, name, file)


def _add_file(archive: zipfile.ZipFile, name: str, file: SavedFile) -> None:
    try:
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return  # gone meanwhile
    # Trials may be writing, so how large it will be is not known: with sizes that suit any.
    with os.fdopen(descriptor, "rb") as source:
        modified = os.fstat(descriptor).st_mtime_ns
        entry = _entry(name, file.mode, modified // 10**9)
        entry.extra = time_field(modified)
        with archive.open(entry, "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, 1024 * 1024)


def _entry(name: str, mode: int, modified: int | None = None) -> zipfile.ZipInfo:
    moment = time.localtime(modified)[:6]
    entry = zipfile.ZipInfo(name, min(max(moment, (1980, 1, 1, 0, 0, 0)), (2107, 12, 31, 23, 59, 58)))
    entry.create_system = 3  # the modes are those of Unix
    entry.external_attr = mode << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
