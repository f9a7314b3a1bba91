"""Unpacks what the manager sent, on the machine that trials run on.

The text of this file is sent to the Python there, with a call of `main` behind it: nothing of ours is there
yet. So it needs the standard library alone, and no other file. What it unpacks is there wholly or not at all,
whenever it ends and however many do the same at the same time.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from typing import IO, Any, Callable, Dict, List, Optional, Tuple, Union

ABANDONED_SECONDS = 86400.0
"""What was begun as long ago and is not finished is removed."""

REPLY = "nni-reply "
"""What the line that is the answer begins with."""

_BEGUN = (".incoming-", ".unfinished-", ".removing-")
_CHUNK = 1 << 20


class UnpackError(Exception):
    """It cannot be done; the text says why."""


def main(request: str) -> None:
    """Does what is asked for and prints the answer.

    Args:
        request: A JSON object: "do" is the function's name, the rest are its arguments.
    """
    arguments = json.loads(request)
    functions: Dict[str, Callable[..., Dict[str, Any]]] = {
        "prepare": prepare,
        "unpack": unpack,
        "remove": remove,
    }
    try:
        answer = functions[arguments.pop("do")](**arguments)
    except UnpackError as error:
        answer = {"problem": str(error)}
    except OSError as error:
        place = " (%s)" % ascii(error.filename) if error.filename is not None else ""
        answer = {"problem": "%s%s" % (error.strerror or error, place)}
    sys.stdout.write("\n%s%s\n" % (REPLY, json.dumps(answer)))


def prepare(directory: str, folders: List[str]) -> Dict[str, Any]:
    """Makes the places that something is unpacked to, and tells what is there.

    Args:
        directory: The experiment's folder; "~/" is the user's home.
        folders: The folders in it that something is to be unpacked to.

    Returns:
        "directory": its absolute path. "there": those of the folders that are there, with all that is in
        them. "free_bytes": how much can be written.
    """
    if directory.startswith("~") and not os.path.isabs(os.path.expanduser(directory)):
        raise UnpackError("the home folder of the user is not known")
    directory = os.path.abspath(os.path.expanduser(directory))
    for folder in folders:
        parent = os.path.dirname(os.path.join(directory, folder))
        _make_folder(parent)
        _sweep(parent)
    status = os.statvfs(directory)
    there = [folder for folder in folders if os.path.isdir(os.path.join(directory, folder))]
    return {"directory": directory, "there": there, "free_bytes": status.f_bavail * status.f_frsize}


def unpack(archive: str, folder: str, sha256: str, keep: bool = False) -> Dict[str, Any]:
    """Unpacks an archive, unless that was done.

    Args:
        archive: The archive, compressed with gzip.
        folder: Where its content is to be; the folder around it is there.
        sha256: The hash of what is compressed.
        keep: Whether the archive is left where it is.

    Returns:
        "done": whether it was this that did it.
    """
    parent, name = os.path.split(folder)
    unfinished = tempfile.mkdtemp(prefix=_BEGUN[1] + name[:16] + "-", dir=parent)
    try:
        if os.path.isdir(folder):
            return {"done": False}
        files = _extract(archive, unfinished, sha256)
        _settle(files)
        try:
            os.rename(unfinished, folder)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not os.path.isdir(folder):
                raise
            return {"done": False}
        _sync(parent)
        return {"done": True}
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not keep and os.path.exists(archive):
            os.unlink(archive)


def remove(folder: str) -> Dict[str, Any]:
    """Removes a folder. At no moment a part of it is left under its name.

    Returns:
        "left": what could not be removed.
    """
    folder = os.path.abspath(os.path.expanduser(folder))
    parent, name = os.path.split(folder)
    removing = tempfile.mkdtemp(prefix=_BEGUN[2] + name[:16] + "-", dir=parent)
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, removing)
    left: List[str] = []
    shutil.rmtree(removing, onerror=lambda function, path, error: left.append(str(path)))
    return {"left": left}


def _make_folder(folder: str) -> None:
    """Makes a folder and those that it is in; the new ones are the user's alone."""
    if os.path.isdir(folder):
        return
    _make_folder(os.path.dirname(folder))
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError as error:
        if not os.path.isdir(folder):
            raise UnpackError("%s is no folder" % ascii(folder)) from error


def _sweep(parent: str) -> None:
    """Removes what was begun and abandoned, so that it fills no disk."""
    latest = time.time() - ABANDONED_SECONDS
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        # Others may remove the same.
        with contextlib.suppress(FileNotFoundError):
            if not name.startswith(_BEGUN) or os.lstat(path).st_mtime > latest:
                continue
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)


class _Hashing(io.BufferedIOBase):
    """What is read from a file, with its hash."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: Optional[int] = -1) -> bytes:
        data = self._file.read(-1 if size is None else size)
        self.hash.update(data)
        return data


def _extract(archive: str, folder: str, sha256: str) -> List[bytes]:
    """Unpacks an archive to an empty folder and returns the paths of the files."""
    try:
        import gzip
        import tarfile
        import zlib
    except ImportError as error:
        raise UnpackError(
            "%s cannot unpack anything, it was built without zlib (%s)" % (sys.executable, error)
        ) from error
    root, now = os.fsencode(folder), time.time()
    files: List[bytes] = []
    links: List[Tuple[bytes, bytes]] = []
    try:
        with gzip.open(archive, "rb") as file:
            content = _Hashing(file)
            with tarfile.open(fileobj=content, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
                for member in tar:
                    # Python 3.8 leaves the "/" behind the long name of a folder.
                    name = member.name.rstrip("/") if member.isdir() else member.name
                    path = os.path.join(root, _checked(name))
                    data = tar.extractfile(member) if member.isreg() else None
                    if member.isdir():
                        os.mkdir(path)
                        os.chmod(path, 0o755)
                    elif member.issym():
                        # Links come last, so that nothing is written through one.
                        links.append((path, member.linkname.encode("utf-8", "surrogateescape")))
                    elif data is not None:
                        _write(path, data, 0o755 if member.mode & 0o100 else 0o644, now)
                        files.append(path)
                    else:
                        raise UnpackError("%s is no file, no folder and no link" % ascii(member.name))
                    tar.members = []  # type: ignore[attr-defined]  # what is done with is not kept
            while content.read(_CHUNK):
                pass
    except (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise UnpackError("what arrived is damaged: %s" % error) from error
    if content.hash.hexdigest() != sha256:
        raise UnpackError("what arrived is not what was sent")
    for path, text in links:
        os.symlink(text, path)
    return files


def _checked(name: str) -> bytes:
    """Returns the name of something in an archive as a path that stays in the folder."""
    parts = name.split("/")
    if "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise UnpackError("%s leads out of the folder" % ascii(name))
    return name.encode("utf-8", "surrogateescape")


def _write(path: bytes, content: IO[bytes], mode: int, time_of_change: float) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
        os.fchmod(file.fileno(), mode)
    # One time for all: to make, nothing is older than what it was made from.
    os.utime(path, (time_of_change, time_of_change))


def _settle(files: List[bytes]) -> None:
    """Waits until files are on the disk: a loss of power leaves no folder with empty files either."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        for _ in pool.map(_sync, files):
            pass


def _sync(path: Union[str, bytes]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
