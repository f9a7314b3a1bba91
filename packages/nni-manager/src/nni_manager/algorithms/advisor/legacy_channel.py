"""NNI's older form of the commands, on a file or a pipe; people test their advisors with it."""

from __future__ import annotations

import os
import threading
from typing import IO

from nni_manager.algorithms.advisor.command_type import CommandType

__all__ = [
    "CommandType",
    "LegacyCommandChannel",
    "_get_out_file",
    "_set_in_file",
    "_set_out_file",
    "receive",
    "send",
]

_CODE_SIZE = 2
_LENGTH_SIZE = 14
_READ_FROM, _WRITE_TO = 3, 4

_lock = threading.Lock()
_files: dict[str, IO[bytes] | None] = {"in": None, "out": None}


def _set_in_file(in_file: IO[bytes]) -> None:
    _files["in"] = in_file


def _set_out_file(out_file: IO[bytes]) -> None:
    _files["out"] = out_file


def _get_out_file() -> IO[bytes]:
    return _file("out", _WRITE_TO, "wb")


def _file(name: str, descriptor: int, mode: str) -> IO[bytes]:
    found = _files[name]
    if found is None:
        found = _files[name] = os.fdopen(descriptor, mode)
    return found


class LegacyCommandChannel:
    """Commands as two letters, the length of the data as 14 digits, and the data in UTF-8."""

    def connect(self) -> None:
        """Does nothing."""

    def disconnect(self) -> None:
        """Does nothing."""

    def _send(self, command: CommandType, data: str) -> None:
        content = data.encode()
        with _lock:
            out_file = _get_out_file()
            out_file.write(b"%b%014d%b" % (command.value.encode(), len(content), content))
            out_file.flush()

    def _receive(self) -> tuple[CommandType | None, str | None]:
        in_file = _file("in", _READ_FROM, "rb")
        header = in_file.read(_CODE_SIZE + _LENGTH_SIZE)
        if len(header) < _CODE_SIZE + _LENGTH_SIZE:
            return None, None
        command = CommandType(header[:_CODE_SIZE].decode())
        return command, in_file.read(int(header[_CODE_SIZE:])).decode()


def send(command: CommandType, data: str) -> None:
    """Sends a command."""
    LegacyCommandChannel()._send(command, data)


def receive() -> tuple[CommandType | None, str | None]:
    """Returns the next command and its data, None twice at the end of the file."""
    return LegacyCommandChannel()._receive()
