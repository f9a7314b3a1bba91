"""Processes that loop over trials ask here for their next one, by a unix socket or a loopback port.

A process connects, sends one line (NextTrialRequest in courier.proto) and waits for the line with the answer.
Who loses the connection before it asks again, so an answer may be given twice and must be the same then.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
from contextlib import suppress
from typing import Callable, Dict, Optional, Tuple

from nni.courier.loopback import Loopback

_MAX_REQUEST_BYTES = 1 << 16

OnAsked = Callable[[Tuple[str, int], "Asker"], None]
"""Gets the trial that is finished with its attempt, and who asks."""


class Asker:
    """A process that waits for its next trial.

    Attributes:
        closed: Whether it was answered, or has gone.
    """

    def __init__(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        """Takes over a connection."""
        self.closed = False
        self._connection = connection
        self._selector = selector

    def answer(self, environment: Dict[str, str]) -> None:
        """Gives it the environment of its next trial, {} when there is none, unless it has gone."""
        if self.closed:
            return
        variables = [{"name": name, "value": value} for name, value in environment.items()]
        with suppress(OSError):  # it has gone, or asks again
            self._connection.send(json.dumps({"environment": variables}).encode("ascii") + b"\n")
        self.close()

    def close(self) -> None:
        """Ends the connection; a process that is still there asks again."""
        if not self.closed:
            self.closed = True
            self._selector.unregister(self._connection)
            self._connection.close()


class AskerListener:
    """Waits for processes that ask.

    Attributes:
        replaced: Whether an earlier courier listened here: processes of its may come back.
        variables: What processes have in their environment to find the loopback port.
    """

    def __init__(
        self,
        path: str,
        selector: selectors.BaseSelector,
        on_asked: OnAsked,
        on_problem: Callable[[str], None],
    ) -> None:
        """Listens at a path, in place of an earlier courier.

        Raises:
            OSError: It cannot be used.
        """
        self._path = path
        self._selector = selector
        self._on_asked = on_asked
        self._on_problem = on_problem
        self.replaced = os.path.lexists(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        # Bound beside and moved there: at no moment is there no socket, or one that nobody listens at.
        unfinished = f"{path}.{os.getpid()}"
        if os.path.lexists(unfinished):
            os.unlink(unfinished)
        self._socket.bind(unfinished)
        os.chmod(unfinished, 0o600)
        self._socket.listen(128)
        os.replace(unfinished, path)
        selector.register(self._socket, selectors.EVENT_READ, self._accept)
        self._loopback = self._open_loopback()
        self.variables = {} if self._loopback is None else self._loopback.variables

    def remove(self) -> None:
        """Removes the socket; who asks from now on is told that nobody is there."""
        if self._loopback is not None:
            self._loopback.remove()
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def _open_loopback(self) -> Optional[Loopback]:
        try:
            return Loopback(f"{self._path}.port", self._selector, self._hear)
        except OSError as error:
            self._on_problem(f"processes in containers cannot ask for more trials: no loopback port: {error}")
            return None

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError as error:  # who knocked has gone again, or there are too many open files
            if not isinstance(error, (BlockingIOError, ConnectionAbortedError)):
                self._on_problem(f"a process that asks for its next trial cannot be heard: {error}")
            return
        connection.setblocking(False)
        self._hear(connection, b"")

    def _hear(self, connection: socket.socket, begun: bytes) -> None:
        asker = Asker(connection, self._selector)
        received = bytearray()
        self._selector.register(
            connection, selectors.EVENT_READ, lambda: self._receive(asker, connection, received)
        )
        if begun:
            self._take(asker, received, begun)

    def _receive(self, asker: Asker, connection: socket.socket, received: bytearray) -> None:
        try:
            data = connection.recv(_MAX_REQUEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._take(asker, received, data)

    def _take(self, asker: Asker, received: bytearray, data: bytes) -> None:
        had_asked = b"\n" in received
        received += data
        if not data or len(received) > _MAX_REQUEST_BYTES:
            asker.close()
        elif b"\n" in received and not had_asked:
            try:
                request = json.loads(bytes(received))
                key = (str(request["trialId"]), int(request.get("attempt", 0)))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                asker.close()
                self._on_problem(f"a process asks for its next trial with {received!r:.200}: {error!r}")
                return
            self._on_asked(key, asker)
