"""A file in pieces, from anywhere in it, and what is added to it afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from nni_manager.experiments.errors import FileMissingError
from nni_manager.experiments.files import open_file

PIECE_BYTES = 256 * 1024
"""How many bytes a piece has at most."""

_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    Attributes:
        content: The bytes.
        offset: Where in the file they begin.
        size: The size of the file at that moment.
    """

    content: bytes
    offset: int
    size: int


async def read_file(folder: Path, path: str, offset: int, limit: int) -> AsyncGenerator[Piece, None]:
    """Yields a file as it is now; an empty piece when there is nothing at the offset.

    Args:
        folder: The folder that it is in.
        path: Its path there.
        offset: Where to begin, in bytes; below 0 counts from the end.
        limit: At most so many bytes; 0 for all.

    Raises:
        InvalidArgumentError, FileMissingError: As of `open_file`.
    """
    descriptor = await asyncio.to_thread(open_file, folder, path)
    try:
        size = os.fstat(descriptor).st_size
        position = _start(offset, size)
        end = max(position, min(size, position + limit) if limit else size)
        while True:
            piece = await _piece(descriptor, position, end - position)
            yield piece
            position += len(piece.content)
            if position >= end or not piece.content:
                return
    finally:
        os.close(descriptor)


async def follow_file(
    folder: Path, path: str, offset: int, limit: int, has_ended: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[Piece, None]:
    """Yields a file and what is added to it. One that is replaced or shortened is told from its start again.

    A file that is shortened and has grown beyond its former size within one look, 0.2 s, is not told from one
    that has grown. The first piece, which may be empty, comes at once, even while there is no file yet.

    Args:
        folder: The folder that it is in.
        path: Its path there.
        offset: Where to begin, in bytes; below 0 counts from the end.
        limit: At most so many bytes; 0 for no limit.
        has_ended: Says whether nothing is added any more. What is there then is still told.

    Raises:
        InvalidArgumentError: As of `open_file`.
        FileMissingError: It has ended, and there is no file.
    """
    file = _FollowedFile(folder, path, offset, limit)
    try:
        while not file.is_full:
            ended = await has_ended()
            async for piece in file.added():  # the rest of a file that is replaced by now
                yield piece
            await asyncio.to_thread(file.look)
            async for piece in file.added():
                yield piece
            if ended:
                file.check_found()
                return
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
    finally:
        file.close()


class _FollowedFile:
    """A file that may not be there yet, grows, is shortened, and is replaced by another.

    It is held open: only then does no other file get its number.
    """

    def __init__(self, folder: Path, path: str, offset: int, limit: int) -> None:
        self._folder = folder
        self._path = path
        self._offset = offset
        self._left = limit or None
        self._descriptor: int | None = None
        self._position = 0
        self._is_told = False
        self._missing: FileMissingError | None = None

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def look(self) -> None:
        """Looks which file is there now."""
        try:
            found = open_file(self._folder, self._path)
        except FileMissingError as error:
            self._missing = error
            return
        if self._descriptor is None:
            self._descriptor = found
            self._position = _start(self._offset, os.fstat(found).st_size)
        elif not os.path.samestat(os.fstat(found), os.fstat(self._descriptor)):
            os.close(self._descriptor)
            self._descriptor = found
            self._begin_again()
        else:
            os.close(found)
        if os.fstat(self._descriptor).st_size < self._position:
            self._begin_again()

    async def added(self) -> AsyncGenerator[Piece, None]:
        """Yields what is there and was not told."""
        while not self.is_full and (self._descriptor is not None or self._missing is not None):
            if self._descriptor is None:
                piece = Piece(b"", 0, 0)
            else:
                most = PIECE_BYTES if self._left is None else self._left
                piece = await _piece(self._descriptor, self._position, most)
            if self._is_told and not piece.content:
                return
            self._is_told = True
            self._position += len(piece.content)
            if self._left is not None:
                self._left -= len(piece.content)
            yield piece

    def check_found(self) -> None:
        """Raises FileMissingError if there never was a file."""
        if self._descriptor is None and self._missing is not None:
            raise self._missing

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _begin_again(self) -> None:
        self._position, self._is_told = 0, False


def _start(offset: int, size: int) -> int:
    return offset if offset >= 0 else max(0, size + offset)


async def _piece(descriptor: int, position: int, most: int) -> Piece:
    return await asyncio.to_thread(_read, descriptor, position, min(most, PIECE_BYTES))


def _read(descriptor: int, position: int, most: int) -> Piece:
    content = os.pread(descriptor, most, position)
    return Piece(content, position, os.fstat(descriptor).st_size)
