"""Everything that answers at the port, for as long as the manager runs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nni_manager.rpc.calls import GuardedCalls
from nni_manager.rpc.grpc_server import start_grpc_server
from nni_manager.server.http_server import LazyHttpServer
from nni_manager.server.splitter import Splitter

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_SECONDS_TO_ANSWER = 30.0


@asynccontextmanager
async def serving(
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    sockets: Path,
    calls: GuardedCalls,
    make_app: Callable[[], ASGIApp],
) -> AsyncIterator[None]:
    """Answers at a port; at the end closes it and lets the calls in progress finish.

    Args:
        listener: The listening socket.
        tls: Makes every connection TLS.
        sockets: A private folder with a short path for the sockets between the port and the servers.
        calls: The protocol's calls.
        make_app: Makes the HTTP application when it is first needed.
    """
    grpc_path = sockets / "grpc"
    grpc_server = await start_grpc_server(calls, grpc_path)
    http_server = LazyHttpServer(make_app, sockets / "http")

    async def grpc_socket() -> Path:
        return grpc_path

    splitter = Splitter(grpc_socket, http_server.socket_path)
    await splitter.start(listener, tls)
    try:
        yield
    finally:
        splitter.stop_accepting()
        await grpc_server.stop(_SECONDS_TO_ANSWER)
        await http_server.close()
        await splitter.close()
