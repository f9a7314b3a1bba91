"""The HTTP server, loaded and started by the first connection that needs it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

_SECONDS_TO_FINISH = 2
# A job that reports now and then need not encrypt a new connection each time, which costs most of a call.
_SECONDS_TO_KEEP = 75


class LazyHttpServer:
    """An HTTP server on a unix socket. Scripts that never open the page do not pay for its libraries."""

    def __init__(self, make_app: Callable[[], ASGIApp], path: Path) -> None:
        """Makes a server that does not run yet.

        Args:
            make_app: Makes the application; called in a thread.
            path: The socket's path; nothing may be there.
        """
        self._make_app = make_app
        self._path = path
        self._lock = asyncio.Lock()
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def socket_path(self) -> Path:
        """Returns the socket's path; the first time, starts the server."""
        async with self._lock:
            if self._server is None:
                self._server = await asyncio.to_thread(self._load)
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(str(self._path))
                listener.listen(1024)
                listener.setblocking(False)
                self._task = asyncio.create_task(self._server.serve([listener]))
        return self._path

    async def close(self) -> None:
        """Ends the server; calls in progress get a moment to finish."""
        async with self._lock:
            if self._server is not None and self._task is not None:
                self._server.should_exit = True
                await self._task

    def _load(self) -> uvicorn.Server:
        import uvicorn

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield  # signals are the manager's

        return Server(
            uvicorn.Config(
                self._make_app(),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_SECONDS_TO_KEEP,
                timeout_graceful_shutdown=_SECONDS_TO_FINISH,
            )
        )
