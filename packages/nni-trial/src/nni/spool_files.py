"""The files that a job without a connection and its manager speak through."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any, List, Optional, Tuple

from nni.blob_error import BlobError
from nni.trial_folder import make_private_folder

ORDERS = "orders.jsonl"
"""What the manager tells the job."""

EVENTS = "events.jsonl"
"""What the job tells the manager."""

MAX_BYTES = 4 << 20
"""How much is read at once, and how much is written at once."""


class OtherWriterError(Exception):
    """A file of which we are the only writer was changed by somebody else."""


class FolderFiles:
    """Files in a folder of a mounted storage."""

    def __init__(self, folder: str) -> None:
        """Names the folder."""
        self._folder = folder

    def read(self, name: str, offset: int = 0, limit: Optional[int] = None) -> bytes:
        """Returns what a file holds from a position on, at most `limit` bytes; b"" where there is nothing.

        Raises:
            OSError: It cannot be read.
        """
        try:
            # Opened anew each time: over NFS that is what makes another machine's writes visible.
            with open(os.path.join(self._folder, name), "rb", buffering=0) as file:
                file.seek(offset)
                return file.read(-1 if limit is None else limit) or b""
        except FileNotFoundError:
            return b""

    def size(self, name: str) -> int:
        """Returns how many bytes a file has, 0 where there is none.

        Raises:
            OSError: It cannot be found out.
        """
        try:
            return os.stat(os.path.join(self._folder, name)).st_size
        except FileNotFoundError:
            return 0

    def append(self, name: str, data: bytes, position: int) -> None:
        """Adds to a file that holds so many bytes; doing it again adds nothing.

        Raises:
            OtherWriterError: It holds something else.
            OSError: It cannot be written.
        """
        path = os.path.join(self._folder, name)
        make_private_folder(os.path.dirname(path))
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            if position == 0:
                self._give(file)
            size = os.fstat(file).st_size
            begun = size - position
            if not 0 <= begun <= len(data) or os.pread(file, begun, position) != data[:begun]:
                raise OtherWriterError(f"{path} has {size} bytes and {position} were expected")
            data = data[begun:]
            while data:
                data = data[os.write(file, data) :]
            os.fsync(file)
        finally:
            os.close(file)

    def upload(self, path: str, name: str) -> int:
        """Puts a local file there, whole or not at all, and returns its size.

        Raises:
            OSError: It cannot be read, or not be written there.
        """
        target = os.path.join(self._folder, name)
        make_private_folder(os.path.dirname(target))
        unfinished = f"{target}.{os.getpid()}.part"
        try:
            shutil.copyfile(path, unfinished)
            os.chmod(unfinished, 0o600)
            os.replace(unfinished, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unfinished)
        return os.stat(target).st_size

    def _give(self, file: int) -> None:
        """Gives a file of root's to whom the folder belongs to, who could not read it otherwise."""
        with contextlib.suppress(OSError):  # some storages know no owners
            owner = os.stat(self._folder)
            if os.fstat(file).st_uid == 0 and owner.st_uid != 0:
                os.fchown(file, owner.st_uid, owner.st_gid)


def read_lines(files: Any, name: str, position: int) -> Tuple[List[bytes], int]:
    """Returns whole lines of a file from a position on, and the position behind them.

    A line in which a mount still shows zeros has not wholly arrived.
    """
    data = files.read(name, position, MAX_BYTES)
    whole = data.rfind(b"\n") + 1
    if whole == 0 and len(data) == MAX_BYTES:  # a line that is longer
        data = files.read(name, position)
        whole = data.rfind(b"\n") + 1
    data = data[:whole]
    hole = data.find(b"\0")
    if hole >= 0:
        data = data[: data.rfind(b"\n", 0, hole) + 1]
    return [line for line in data.split(b"\n") if line], position + len(data)


class Appender:
    """Appends lines to a file that nobody else writes to.

    Attributes:
        name: The file.
        writes: How often it was written to.
    """

    def __init__(self, files: Any, name: str) -> None:
        """Names the file; `begin` comes before anything is added."""
        self.name = name
        self.writes = 0
        self._files = files
        self._size = 0
        self._waiting: List[bytes] = []
        self._sending = b""

    def begin(self) -> None:
        """Finds out where the file ends, and ends a line that was cut short there."""
        self._size = self._files.size(self.name)
        if self._size and self._files.read(self.name, self._size - 1, 1) != b"\n":
            self._waiting.insert(0, b"")

    def add(self, line: bytes) -> None:
        """Takes a line, to be written with the others."""
        self._waiting.append(line)

    def send(self) -> None:
        """Writes what waits. If that fails it may be done again, and is written once.

        Raises:
            OtherWriterError: Somebody else writes to the file.
            BlobError, OSError: It cannot be written now; nothing is lost.
        """
        while self._sending or self._waiting:
            if not self._sending:
                self._sending = self._next_piece()
            try:
                self._files.append(self.name, self._sending, self._size)
            except BlobError as error:
                if error.status == 412:
                    raise OtherWriterError(str(error)) from error
                raise
            self.writes += 1
            self._size += len(self._sending)
            self._sending = b""

    def _next_piece(self) -> bytes:
        """Returns lines to be sent by one request, if they are not too long for that."""
        count, size = 0, 0
        while count < len(self._waiting) and (count == 0 or size + len(self._waiting[count]) < MAX_BYTES):
            size += len(self._waiting[count]) + 1
            count += 1
        piece = b"".join([line + b"\n" for line in self._waiting[:count]])
        del self._waiting[:count]
        return piece
