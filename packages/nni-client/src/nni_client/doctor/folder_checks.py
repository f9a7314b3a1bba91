"""Checks of the folders that experiments write to."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from nni_config.experiment_folders import experiments_directories
from nni_config.filesystems import file_system_type, is_on_network
from nni_config.paths import default_experiments_directory
from nni_config.private_files import runtime_directory

from nni_client.doctor.findings import Finding, failure, note, ok, warning

LEAST_BYTES = 100 * 2**20
FEW_BYTES = 2**30
"""Below the first nothing should be started, below the second it is time to make room."""

SLOW_SECONDS = 0.1
"""A file system that takes longer to keep one small file makes experiments slow."""

LONGEST_RUNTIME_PATH = 70
"""Paths of sockets may have about 104 characters; ours add some to the folder."""

_CLOCK_SECONDS = 5.0
_MEBIBYTE = 2**20
_TEMPORARY_ELSEWHERE = "set TMPDIR to a folder with room that you may write to"
_ELSEWHERE = "name another folder: experiment_working_directory in the configuration"


class Probe(NamedTuple):
    """What writing to a folder showed.

    Attributes:
        seconds: How long one small file took until it was on the disk.
        clock_ahead: By how many seconds the file system's clock is ahead of this machine's.
    """

    seconds: float
    clock_ahead: float


class Room(NamedTuple):
    """What is free on a file system.

    Attributes:
        free_bytes: Bytes that this user may still write.
        free_files: How many files may still be made; None where there is no such limit.
    """

    free_bytes: int
    free_files: int | None


def check_experiments_directories(directories: Iterable[Path] | None = None) -> list[Finding]:
    """Checks the folders that hold experiments: all that were ever used, and the one for new ones."""
    if directories is None:
        directories = dict.fromkeys([default_experiments_directory(), *experiments_directories()])
    return [finding for directory in directories for finding in check_folder(directory)]


def check_temporary_directory() -> list[Finding]:
    """Checks the folder for temporary files."""
    try:
        directory = Path(tempfile.gettempdir())
    except OSError as error:
        return [failure(f"there is no folder for temporary files: {error}", _TEMPORARY_ELSEWHERE)]
    return check_folder(directory, repair=_TEMPORARY_ELSEWHERE)


def check_folder(
    directory: Path,
    *,
    probe: Callable[[Path], Probe] | None = None,
    room: Callable[[Path], Room] | None = None,
    on_network: Callable[[Path], bool] = is_on_network,
    repair: str = _ELSEWHERE,
) -> list[Finding]:
    """Checks that a folder can be written to, has room and is not slow; one that is not there can be made."""
    place = next((each for each in (directory, *directory.parents) if os.path.lexists(each)), directory)
    try:
        if not place.is_dir():
            return [failure(f"{directory}: {place} is no folder", repair)]
        found = (probe or probe_folder)(place)
        free = (room or room_of)(place)
    except OSError as error:
        text = f"{directory}: {place} cannot be written to: {error.strerror or error}"
        return [failure(text, f"make it writable for you, or {repair}")]
    findings = [
        *_room_findings(directory, free, repair),
        *_speed_findings(directory, place, found, on_network(place), repair),
    ]
    state = "" if place == directory else " (not there yet)"
    return findings or [ok(f"{directory}{state}: writable, {free.free_bytes // _MEBIBYTE} MiB free")]


def check_runtime_directory(make: Callable[[], Path] = runtime_directory) -> list[Finding]:
    """Checks the folder for sockets and for records of running managers."""
    try:
        directory = make()
        probe_folder(directory)
    except OSError as error:
        repair = "set NNI_RUNTIME_DIR to a folder of yours that nobody else may open (chmod 700)"
        return [failure(f"the folder for sockets cannot be used: {error}", repair)]
    if len(os.fsencode(directory)) > LONGEST_RUNTIME_PATH:
        text = f"{directory} is too long a path for sockets"
        return [failure(text, "set NNI_RUNTIME_DIR to a folder with a short path")]
    return [ok(f"{directory}: private and writable")]


def probe_folder(directory: Path) -> Probe:
    """Writes a small file to a folder, flushes it to the disk and removes it.

    Raises:
        OSError: That cannot be done.
    """
    begin = time.monotonic()
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".nni-doctor-") as file:
        file.write(b"nni")
        file.flush()
        os.fsync(file.fileno())
        taken = time.monotonic() - begin
        ahead = os.fstat(file.fileno()).st_mtime - time.time()
    return Probe(taken, ahead)


def room_of(directory: Path) -> Room:
    """Returns what is free on a folder's file system.

    Raises:
        OSError: It cannot be asked.
    """
    if sys.platform == "win32":
        import shutil

        return Room(shutil.disk_usage(directory).free, None)
    found = os.statvfs(directory)
    return Room(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def _room_findings(directory: Path, free: Room, repair: str) -> list[Finding]:
    if free.free_files == 0:
        return [failure(f"{directory}: no more files can be made", f"delete files there, or {repair}")]
    text = f"{directory}: only {free.free_bytes // _MEBIBYTE} MiB are free"
    repair = f"make room (nnictl experiment delete removes old experiments), or {repair}"
    if free.free_bytes < LEAST_BYTES:
        return [failure(text, repair)]
    return [warning(text, repair)] if free.free_bytes < FEW_BYTES else []


def _speed_findings(
    directory: Path, place: Path, found: Probe, is_network: bool, repair: str
) -> list[Finding]:
    findings = []
    if abs(found.clock_ahead) > _CLOCK_SECONDS:
        text = f"{directory}: the file system's clock is {found.clock_ahead:+.0f} s off this machine's"
        findings.append(warning(text, "have both follow a time server (chrony or systemd-timesyncd)"))
    if found.seconds > SLOW_SECONDS:
        text = f"{directory}: the file system is slow, one small file took {found.seconds:.1f} s"
        findings.append(warning(text, f"use a local disk: {repair}"))
    elif is_network:
        kind = file_system_type(place)
        findings.append(note(f"{directory} is on a network file system ({kind}), slower than a local disk"))
    return findings
