"""Archives that are the same, byte for byte, wherever and whenever the same files are packed."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import stat
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from nni_manager.code_folder.code_files import Kind
from nni_manager.code_folder.contents import Entry

_LEVEL = 3
"""Of gzip; more takes several times as long and saves a few percent of what source is."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Something that was packed.

    Attributes:
        path: The file, a tar compressed with gzip.
        sha256: The hash of the tar, 64 hexadecimal digits. The same content has the same hash.
        file_count: How many files it holds.
        byte_count: How many bytes they hold together.
        packed_byte_count: The size of the file.
    """

    path: Path
    sha256: str
    file_count: int
    byte_count: int
    packed_byte_count: int


def write_archive(
    entries: Iterable[Entry], target_directory: Path, name: str, unreadable: Callable[[OSError], None]
) -> Archive:
    """Packs files; the archive appears when it is complete.

    Times, owners and all permissions but the owner's to execute are not packed.

    Args:
        entries: What to pack.
        target_directory: The folder of the archive, which is made if it is not there.
        name: What the archive's name begins with; the hash follows.
        unreadable: Gets the error for each file that cannot be read, which is left out then.

    Raises:
        OSError: The archive cannot be written, or a file became shorter while it was read.
    """
    target_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = target_directory / f".{name}{secrets.token_hex(8)}"
    file_count = byte_count = 0
    try:
        with (
            unfinished.open("xb") as file,
            gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as compressed,
        ):
            unfinished.chmod(0o600)
            content = _Hashing(compressed)
            with tarfile.open(
                fileobj=content,
                mode="w|",
                format=tarfile.GNU_FORMAT,
                encoding="utf-8",
                errors="surrogateescape",
            ) as tar:
                for entry in sorted(entries, key=lambda each: os.fsencode(each.path)):
                    size = _add(tar, entry, unreadable)
                    if size is not None:
                        file_count, byte_count = file_count + 1, byte_count + size
        sha256, packed = content.sha256.hexdigest(), unfinished.stat().st_size
        path = target_directory / f"{name}{sha256}.tar.gz"
        unfinished.replace(path)
        return Archive(path, sha256, file_count, byte_count, packed)
    finally:
        unfinished.unlink(missing_ok=True)


class _Hashing(io.BufferedIOBase):
    """A file to write to, with the hash of what was written."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return self._file.write(data)


def _add(tar: tarfile.TarFile, entry: Entry, unreadable: Callable[[OSError], None]) -> int | None:
    """Adds an entry and returns its size if it is a file that could be read."""
    member = tarfile.TarInfo(entry.path)
    if entry.kind is not Kind.FILE:
        member.mode = 0o755
        member.type = tarfile.SYMTYPE if entry.kind is Kind.LINK else tarfile.DIRTYPE
        member.linkname = entry.text
        tar.addfile(member)
        return None
    try:
        file = _open(entry.source)
    except OSError as error:
        unreadable(error)
        return None
    with file:
        status = os.fstat(file.fileno())
        member.size = status.st_size
        member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        try:
            tar.addfile(member, file)
        except OSError as error:
            if error.errno is None:
                raise OSError(f"{str(entry.source)!a} became shorter while it was read") from error
            raise
    return member.size


def _open(path: Path) -> IO[bytes]:
    # A pipe may have taken the file's place since: opening that must not wait for a writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(0, "it is no file any more", str(path))
    return file
