"""The algorithm's end of the socket."""

from __future__ import annotations

import logging
import os
import socket
import threading

from nni_proto.v1 import algorithm_pb2

from nni_manager.tuning.framing import HEADER_SIZE, body_size, frame

_logger = logging.getLogger(__name__)


class Channel:
    """Receives requests and sends responses; both are safe from any thread.

    A child process that the algorithm forks cannot use it and does not hold the socket open.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.set_inheritable(False)
        self._connection = connection
        self._lock = threading.Lock()
        self._receive_lock = threading.Lock()
        self._process_id = os.getpid()
        os.register_at_fork(after_in_child=connection.close)

    def receive(self) -> algorithm_pb2.AlgorithmRequest | None:
        """Waits for the next request; returns None when the manager has gone."""
        with self._receive_lock:
            header = self._read(HEADER_SIZE)
            body = self._read(body_size(header)) if header is not None else None
        return None if body is None else algorithm_pb2.AlgorithmRequest.FromString(body)

    def send(self, response: algorithm_pb2.AlgorithmResponse) -> None:
        """Sends a response; it is dropped when the manager has gone, which `receive` tells.

        Raises:
            RuntimeError: This is a child process of the algorithm's.
            ValueError: The response is too large.
        """
        if os.getpid() != self._process_id:
            raise RuntimeError(
                "only the process of the algorithm itself can hand in parameters, not a child of it"
            )
        data = frame(response)
        with self._lock:
            try:
                self._connection.sendall(data)
            except ConnectionError as error:
                _logger.warning("The manager has gone: %s", error)

    def wait_for_end(self) -> None:
        """Takes what the manager still sends, until it has nothing more to say.

        If a process ends with something unread, its last words may be lost on the way.
        """
        while self.receive() is not None:
            pass

    def _read(self, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self._connection.recv(size - len(data))
            except ConnectionError:
                return None
            if not piece:
                return None
            data += piece
        return bytes(data)
