from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from nni_manager.server import splitter as module
from nni_manager.server.splitter import Splitter

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def _split(
    folder: Path, grpc: Handler, http: Handler, first_bytes_seconds: float = 30.0
) -> AsyncIterator[int]:
    paths = {"grpc": folder / "grpc", "http": folder / "http"}
    servers = [
        await asyncio.start_unix_server(handler, path)
        for handler, path in ((grpc, paths["grpc"]), (http, paths["http"]))
    ]

    def backend(name: str) -> Callable[[], Awaitable[Path]]:
        async def path() -> Path:
            return paths[name]

        return path

    splitter = Splitter(backend("grpc"), backend("http"), first_bytes_seconds)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    await splitter.start(listener)
    try:
        yield port
    finally:
        await splitter.close()
        for server in servers:
            server.close()


def _echoing(name: bytes) -> Handler:
    """Answers with its name, then with what it gets, until the other side is done."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name)
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"!")
        writer.close()

    return handle


async def _exchange(port: int, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.fixture(autouse=True)
def _no_wait_for_half_closed_clients(monkeypatch) -> None:
    monkeypatch.setattr(module, "_HALF_CLOSED_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (PREFACE, b"G"),
        (PREFACE + b"more", b"G"),
        (b"GET / HTTP/1.1\r\n\r\n", b"H"),
        (b"POST / HTTP/1.1\r\n\r\n", b"H"),
        (b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", b"H"),
        (PREFACE[:-1] + b"x", b"H"),
        (PREFACE[:7], b"H"),
        (b"P", b"H"),
    ],
)
async def test_the_first_bytes_choose_the_server(tmp_path, sent: bytes, name: bytes) -> None:
    async with _split(tmp_path, _echoing(b"G"), _echoing(b"H")) as port:
        assert await _exchange(port, sent) == name + sent + b"!"


async def test_first_bytes_may_come_one_by_one(tmp_path) -> None:
    parts = [bytes([byte]) for byte in PREFACE + b"tail"]
    async with _split(tmp_path, _echoing(b"G"), _echoing(b"H")) as port:
        assert await _exchange(port, *parts) == b"G" + PREFACE + b"tail!"


async def test_a_client_that_says_nothing_is_let_go(tmp_path) -> None:
    async with _split(tmp_path, _echoing(b"G"), _echoing(b"H"), first_bytes_seconds=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE[:10])
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert await _exchange(port, PREFACE) == b"G" + PREFACE + b"!"


async def test_large_bodies_pass_both_ways_unchanged(tmp_path) -> None:
    body = b"POST /" + bytes(range(256)) * 100_000

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(body)
        await writer.drain()
        writer.write_eof()

    async with _split(tmp_path, _echoing(b"G"), _echoing(b"H")) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sending = asyncio.create_task(send(writer))
        assert await reader.read() == b"H" + body + b"!"
        await sending
        writer.close()


async def test_a_hundred_connections_at_once(tmp_path) -> None:
    async with _split(tmp_path, _echoing(b"G"), _echoing(b"H")) as port:
        messages = [(PREFACE if number % 2 else b"GET ") + b"%d" % number for number in range(100)]
        answers = await asyncio.gather(*(_exchange(port, message) for message in messages))
    assert answers == [
        (b"G" if number % 2 else b"H") + message + b"!" for number, message in enumerate(messages)
    ]


async def test_a_half_closed_http_client_gets_its_answer(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_HALF_CLOSED_SECONDS", 30.0)
    answer_now = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        ended = asyncio.create_task(reader.read())
        await answer_now.wait()
        assert not ended.done()
        ended.cancel()
        writer.write(b"answer")
        writer.close()

    async with _split(tmp_path, _echoing(b"G"), slow) as port:
        exchange = asyncio.create_task(_exchange(port, b"GET "))
        await asyncio.sleep(0.05)
        answer_now.set()
        assert await exchange == b"answer"


async def test_the_server_hears_that_a_client_has_gone(tmp_path) -> None:
    gone = asyncio.Event()

    async def wait_for_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    async with _split(tmp_path, wait_for_end, _echoing(b"H")) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE)
        await writer.drain()
        writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 10)


async def test_closing_ends_open_connections(tmp_path) -> None:
    async with _split(tmp_path, _echoing(b"G"), _echoing(b"H")) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PREFACE)
        assert await reader.readexactly(1) == b"G"
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
