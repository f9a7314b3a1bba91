"""Calls to a manager.

Nothing stays open between calls: a user's script may fork at any moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from nni_client.address import ManagerAddress
from nni_client.errors import ManagerUnreachableError
from nni_client.methods import Method, Request, Response
from nni_client.settings import CALL_TIMEOUT, DEFAULT_CALL_TIMEOUT, seconds_from_environment

if TYPE_CHECKING:
    from nni_client.grpc_transport import GrpcTransport

_GRPC_SETTINGS = {
    # Its usual is a line at each fork while a call is under way.
    "GRPC_VERBOSITY": "ERROR",
    # Its handler at a fork waits for threads of its own, now and then for ever. Children of ours call in
    # another way.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}

_grpc_process: int | None = None


class _Transport(Protocol):
    def call(
        self, method: Method[Request, Response], request: Request, timeout: float | None
    ) -> Response: ...

    def close(self) -> None: ...


class Session:
    """A short burst of calls over one connection."""

    def __init__(self, address: ManagerAddress, timeout: float | None) -> None:
        self._address = address
        self._timeout = timeout
        self._transport = _transport(address)

    def call(
        self, method: Method[Request, Response], request: Request, timeout: float | None = None
    ) -> Response:
        """Makes a call, once more when the connection broke.

        Args:
            method: Which call.
            request: What is sent.
            timeout: How many seconds it may take; None for the limit of the connection.

        Raises:
            CallError: One of `errors`.
        """
        limit = self._timeout if timeout is None else timeout
        try:
            return self._transport.call(method, request, limit)
        except ManagerUnreachableError:
            self.close()
            self._transport = _transport(self._address)
        return self._transport.call(method, request, limit)

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()


class Connection:
    """What is needed to call a manager; it holds no socket.

    Attributes:
        address: Where the manager listens.
        timeout: How many seconds a call may take.
    """

    def __init__(self, address: ManagerAddress, timeout: float | None = None) -> None:
        """Remembers where to call.

        Args:
            address: Where the manager listens.
            timeout: How many seconds a call may take. None for what NNI_CALL_TIMEOUT says, else 60.

        Raises:
            ValueError: NNI_CALL_TIMEOUT is not a number above 0.
        """
        self.address = address
        self.timeout = timeout or seconds_from_environment(CALL_TIMEOUT) or DEFAULT_CALL_TIMEOUT

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Opens a connection for several calls."""
        session = Session(self.address, self.timeout)
        try:
            yield session
        finally:
            session.close()

    def call(
        self, method: Method[Request, Response], request: Request, timeout: float | None = None
    ) -> Response:
        """Makes one call; see `Session.call`."""
        with self.session() as session:
            return session.call(method, request, timeout)


def grpc_is_safe() -> bool:
    """Whether this process may use gRPC: not when it was forked off a process that had used it."""
    return _grpc_process is None or _grpc_process == os.getpid()


def grpc_transport(address: ManagerAddress) -> GrpcTransport:
    """Opens a gRPC channel; only where `grpc_is_safe`."""
    global _grpc_process
    load_grpc()
    from nni_client.grpc_transport import GrpcTransport

    _grpc_process = os.getpid()
    return GrpcTransport(address)


def load_grpc() -> None:
    """Imports gRPC, if this process may use it. That takes long, and a script may never call anything."""
    if grpc_is_safe() and "nni_client.grpc_transport" not in sys.modules:
        with _grpc_settings():
            from nni_client.grpc_transport import begin

            begin()


@contextmanager
def _grpc_settings() -> Iterator[None]:
    """Sets, while gRPC is imported, what it reads from the environment then; what a user has set stays."""
    missing = (
        {} if "grpc" in sys.modules else {k: v for k, v in _GRPC_SETTINGS.items() if k not in os.environ}
    )
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _transport(address: ManagerAddress) -> _Transport:
    if grpc_is_safe():
        return grpc_transport(address)
    from nni_client.json_transport import JsonTransport

    return JsonTransport(address)
