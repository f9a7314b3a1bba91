"""Checks an archive before anything of it is unpacked. It may have been made to do harm."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

from nni_client.archive_layout import (
    CODE,
    EXPERIMENT,
    MANIFEST,
    MANIFEST_BYTES,
    NEVER_SAVED,
    RECORD,
    ArchiveError,
    Manifest,
    parse_manifest,
    stays_inside,
)

HIGHEST_RATIO = 200
"""How many times the size of the archive its files may have together; what was saved has less."""

ALWAYS_ALLOWED_BYTES = 1024**3
"""How large the files may be together whatever the archive's size."""

_LONGEST_NAME = 255
_LONGEST_PATH = 3000
_LONGEST_TARGET = 4096
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DRIVE = re.compile(r"[A-Za-z]:")


class CheckedEntry(NamedTuple):
    """An entry that may be unpacked.

    Attributes:
        root: EXPERIMENT or CODE.
        name: Its path within that.
        info: The entry.
        kind: What it is: stat.S_IFREG, S_IFDIR or S_IFLNK.
        target: What a link points to.
    """

    root: str
    name: str
    info: zipfile.ZipInfo
    kind: int
    target: str = ""


def check_archive(
    archive: zipfile.ZipFile, archive_bytes: int, max_bytes: int | None
) -> tuple[Manifest, list[CheckedEntry]]:
    """Returns what is in an archive, folders before what is in them.

    Args:
        archive: The archive.
        archive_bytes: Its size.
        max_bytes: How large its files may be together; None for what is usual for an archive of its size.

    Raises:
        ArchiveError: It is no archive of an experiment, or one must not unpack it; the text says why.
    """
    manifest = _manifest(archive)
    entries = [_checked(archive, info) for info in archive.infolist() if info.filename != MANIFEST]
    _check_sizes(entries, archive_bytes, max_bytes)
    _check_places(entries)
    if not any(it.root == EXPERIMENT and it.name == RECORD and it.kind == stat.S_IFREG for it in entries):
        raise ArchiveError("it has no record of an experiment")
    return manifest, sorted(entries, key=lambda it: (it.root, it.name.split("/")))


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    names = [info.filename for info in archive.infolist()]
    if MANIFEST not in names:
        if "nnictl/.experiment" in names:
            raise ArchiveError(
                "it was saved by Microsoft's NNI; unpack it and take the results of its folder experiment: "
                "nnictl experiment import NEW_ID --from FOLDER"
            )
        raise ArchiveError(f"it is no archive of an experiment: it has no {MANIFEST}")
    info = archive.getinfo(MANIFEST)
    if info.file_size > MANIFEST_BYTES or info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise ArchiveError(f"its {MANIFEST} is malformed")
    return parse_manifest(archive.read(info))


def _checked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> CheckedEntry:
    shown = f"its entry {info.orig_filename!r:.120}"
    if info.orig_filename != info.filename or not _is_plain_path(info.filename):
        raise ArchiveError(f"{shown} does not name a place in the archive's own folders")
    root, _, name = info.filename.rstrip("/").partition("/")
    if root not in (EXPERIMENT, CODE) or (not name and not info.is_dir()):
        raise ArchiveError(f"{shown} is not in one of the folders {EXPERIMENT} and {CODE}")
    if root == EXPERIMENT and (
        name.split("/")[0] in NEVER_SAVED or (name.startswith("db/") and name != RECORD)
    ):
        raise ArchiveError(f"{shown} is nothing that an archive of an experiment has")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise ArchiveError(f"{shown} is encrypted or packed in a way that is not known here")
    kind = _kind(info)
    if kind is None:
        raise ArchiveError(f"{shown} is neither a file nor a folder nor a link")
    if kind != stat.S_IFLNK:
        return CheckedEntry(root, name, info, kind)
    target = _target(archive, info)
    if not stays_inside(name, target):
        raise ArchiveError(f"{shown} is a link that leads out of its folder, to {target!r:.120}")
    return CheckedEntry(root, name, info, kind, target)


def _is_plain_path(name: str) -> bool:
    parts = name.removesuffix("/").split("/")
    if "\\" in name or "\0" in name or _DRIVE.match(name) or len(name.encode()) > _LONGEST_PATH:
        return False
    return all(part not in ("", ".", "..") and len(part.encode()) <= _LONGEST_NAME for part in parts)


def _kind(info: zipfile.ZipInfo) -> int | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        return stat.S_IFDIR if kind in (0, stat.S_IFDIR) else None
    return {0: stat.S_IFREG, stat.S_IFREG: stat.S_IFREG, stat.S_IFLNK: stat.S_IFLNK}.get(kind)


def _target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if info.file_size > _LONGEST_TARGET:
        return ""
    try:
        return archive.read(info).decode()
    except UnicodeDecodeError:
        return ""


def _check_sizes(entries: Sequence[CheckedEntry], archive_bytes: int, max_bytes: int | None) -> None:
    total = sum(it.info.file_size for it in entries)
    limit = max(ALWAYS_ALLOWED_BYTES, HIGHEST_RATIO * archive_bytes) if max_bytes is None else max_bytes
    if total > limit:
        raise ArchiveError(
            f"its files would take {total} bytes, more than {limit}; if that is right, --max-size allows it"
        )


def _check_places(entries: Sequence[CheckedEntry]) -> None:
    """Refuses two entries for one place, and entries within what is no folder."""
    kinds: dict[tuple[str, str], int] = {}
    for entry in entries:
        if (entry.root, entry.name) in kinds:
            raise ArchiveError(f"its entry {entry.info.filename!r:.120} is there twice")
        kinds[entry.root, entry.name] = entry.kind
    for entry in entries:
        parts = entry.name.split("/")
        for depth in range(1, len(parts)):
            if kinds.get((entry.root, "/".join(parts[:depth])), stat.S_IFDIR) != stat.S_IFDIR:
                raise ArchiveError(f"its entry {entry.info.filename!r:.120} lies in what is no folder")
