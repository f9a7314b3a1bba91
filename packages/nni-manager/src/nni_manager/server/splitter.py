"""One port for two servers: what begins with the HTTP/2 preface is gRPC, anything else is HTTP/1.1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

_LOGGER = logging.getLogger(__name__)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_CHUNK = 256 * 1024

FIRST_BYTES_SECONDS = 30.0
"""How long a new connection may take to show what it is."""

# The HTTP server takes a client that sends no more for gone. It is told only after this time, so that such a
# client gets its answer.
_HALF_CLOSED_SECONDS = 10.0

# How long a client may go on sending after the server has closed.
_LAST_BYTES_SECONDS = 2.0

Backend = Callable[[], Awaitable[Path]]
"""Returns the unix socket of a server, starting the server when it does not run yet."""


class Splitter:
    """Accepts connections and passes each to one of two servers."""

    def __init__(
        self, grpc: Backend, http: Backend, first_bytes_seconds: float = FIRST_BYTES_SECONDS
    ) -> None:
        """Makes a splitter that accepts nothing yet.

        Args:
            grpc: The server for gRPC.
            http: The server for everything else.
            first_bytes_seconds: How long a new connection may take to show what it is.
        """
        self._grpc = grpc
        self._http = http
        self._first_bytes_seconds = first_bytes_seconds
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accepts connections from a listening socket.

        Args:
            listener: The socket; it belongs to the splitter from now on.
            tls: Makes every connection TLS, which ends here.
        """
        self._server = await asyncio.start_server(
            self._accepted, sock=listener, ssl=tls, limit=_CHUNK, backlog=1024
        )

    def stop_accepting(self) -> None:
        """Closes the port. Connections go on."""
        if self._server is not None:
            self._server.close()

    async def close(self) -> None:
        """Closes the port and every connection."""
        self.stop_accepting()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
            writer.close()  # sends what is still buffered
        except (OSError, asyncio.TimeoutError):
            writer.transport.abort()  # the other side went away, or never showed what it is
        except asyncio.CancelledError:
            writer.transport.abort()  # by close(); asyncio would log it as an error of its callback
        except Exception:
            writer.transport.abort()
            _LOGGER.exception("a connection failed")
        finally:
            self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await asyncio.wait_for(_first_bytes(reader), self._first_bytes_seconds)
        if not first:
            return
        is_grpc = first.startswith(_PREFACE)
        socket_path = await (self._grpc if is_grpc else self._http)()
        server_reader, server_writer = await asyncio.open_unix_connection(str(socket_path), limit=_CHUNK)
        server_writer.write(first)
        half_closed_seconds = 0.0 if is_grpc else _HALF_CLOSED_SECONDS
        upwards = asyncio.create_task(_to_server(reader, server_writer, half_closed_seconds))
        try:
            await _copy(server_reader, writer)
            upwards.cancel()
            await asyncio.gather(upwards, return_exceptions=True)
            if writer.can_write_eof():
                writer.write_eof()
            # Closing while the client still sends would make its system throw our last bytes away.
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_discard(reader), _LAST_BYTES_SECONDS)
        finally:
            upwards.cancel()
            server_writer.transport.abort()
            await asyncio.gather(upwards, return_exceptions=True)


async def _first_bytes(reader: asyncio.StreamReader) -> bytes:
    first = b""
    while len(first) < len(_PREFACE) and _PREFACE.startswith(first):
        more = await reader.read(_CHUNK)
        if not more:
            break
        first += more
    return first


async def _to_server(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, half_closed_seconds: float
) -> None:
    try:
        await _copy(reader, writer)
        await asyncio.sleep(half_closed_seconds)
        writer.write_eof()
    except OSError:
        writer.transport.abort()  # which ends the other direction too


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK):
        pass
