"""A loopback port for processes that cannot see the courier's socket, such as those in a container.

They and the courier prove to each other that they have the same token (nni/_loopback.py). Port and token are
noted beside the socket, in a file for their user alone: the next courier takes them over, since the processes
outlive this one.
"""

from __future__ import annotations

import os
import selectors
import socket
import stat
from contextlib import suppress
from typing import Callable, Dict, List, Optional, Tuple

from nni import _loopback
from nni.trial_folder import read_json, write_json

MAX_UNKNOWN = 64
"""How many connections may be open of which it is not known yet whether they have the token."""

_MAX_FIRST_LINE = 256

OnKnown = Callable[[socket.socket, bytes], None]
"""Gets the connection of a process that has the token, and what it sent behind its proof."""


class Loopback:
    """Listens at the port.

    Attributes:
        variables: What processes have in their environment to find it.
    """

    def __init__(self, note: str, selector: selectors.BaseSelector, on_known: OnKnown) -> None:
        """Listens at the noted port, or at a free one.

        Args:
            note: The path of the file with port and token.
            selector: Gets what is to be waited for.
            on_known: Gets who has the token.

        Raises:
            OSError: There is no loopback, or the note cannot be written.
        """
        self._note = note
        self._selector = selector
        self._on_known = on_known
        self._unknown: List[socket.socket] = []
        port, self._token = _noted(note) or (0, _loopback.random_text())
        self._socket = _listening(port)
        port = self._socket.getsockname()[1]
        write_json(note, {"port": port, "token": self._token})
        self.variables: Dict[str, str] = {
            _loopback.ADDRESS_VARIABLE: f"127.0.0.1:{port}",
            _loopback.TOKEN_VARIABLE: self._token,
        }
        selector.register(self._socket, selectors.EVENT_READ, self._accept)

    def remove(self) -> None:
        """Removes the note: no process is left that knows port and token."""
        with suppress(FileNotFoundError):
            os.unlink(self._note)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:  # who knocked has gone again; one that has not tries again
            return
        connection.setblocking(False)
        if len(self._unknown) >= MAX_UNKNOWN:
            self._forget(self._unknown[0]).close()
        self._unknown.append(connection)
        received = bytearray()
        texts: List[str] = []
        self._selector.register(
            connection, selectors.EVENT_READ, lambda: self._receive(connection, received, texts)
        )

    def _receive(self, connection: socket.socket, received: bytearray, texts: List[str]) -> None:
        try:
            data = connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        received += data
        if not data or not self._understand(connection, received, texts):
            self._forget(connection).close()

    def _understand(self, connection: socket.socket, received: bytearray, texts: List[str]) -> bool:
        """Takes what was received so far; returns False for who is not to be listened to."""
        if not texts:
            line, end, rest = bytes(received).partition(b"\n")
            if not end:
                return len(received) <= _MAX_FIRST_LINE
            texts += [line.decode("latin-1"), _loopback.random_text()]
            del received[: len(line) + 1]
            shown = _loopback.proof(self._token, _loopback.COURIER, *texts)
            with suppress(OSError):  # it has gone, which the next reading shows
                connection.send(f"{texts[1]} {shown}\n".encode("ascii"))
        shown_by_process, space, rest = bytes(received).partition(b" ")
        if not space:
            return len(received) <= _MAX_FIRST_LINE
        text = shown_by_process.decode("latin-1")
        if not _loopback.is_right(text, self._token, _loopback.PROCESS, *texts):
            return False
        self._on_known(self._forget(connection), rest)
        return True

    def _forget(self, connection: socket.socket) -> socket.socket:
        if connection in self._unknown:
            self._unknown.remove(connection)
            self._selector.unregister(connection)
        return connection


def _listening(port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setblocking(False)
        try:
            opened.bind(("127.0.0.1", port))
        except OSError:
            if port == 0:
                raise
            opened.bind(("127.0.0.1", 0))  # another program has it: who knows only that one is left behind
        opened.listen(128)
    except OSError:
        opened.close()
        raise
    return opened


def _noted(note: str) -> Optional[Tuple[int, str]]:
    try:
        status = os.lstat(note)
        content = read_json(note) or {}
        is_ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
        return (int(content["port"]), str(content["token"])) if is_ours else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
