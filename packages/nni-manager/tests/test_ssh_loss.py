"""Connections that are lost."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_manager.training.ssh.connection import SILENCES, SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.target import SshTarget, ssh_target

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")

LAX = 2.0
"""Seconds of silence: a computer that is busy may be late by more than the short ones of `connection`."""

Connect = Callable[..., Awaitable[SshConnection]]


def target(server: Any) -> SshTarget:
    return ssh_target("127.0.0.1", "worker", port=server.port, key_file=server.key)


@pytest.fixture
async def connection(start_ssh_server: Any, own_home: Path) -> AsyncIterator[tuple[SshConnection, Any]]:
    server = start_ssh_server()
    connection = await SshConnection.open(replace(target(server), keepalive=0.5))
    await connection.run("true")  # its session is set up then
    yield connection, server
    await connection.close()


@contextmanager
def stopped(processes: list[int]) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    yield
    for process in processes:
        os.kill(process, signal.SIGCONT)


async def test_session_that_is_killed(connection: tuple[SshConnection, Any]) -> None:
    ours, server = connection
    process = await ours.start("echo working >&2; exec cat")
    process.write(b"x")
    await process.read()
    running = asyncio.create_task(ours.run("cat; sleep 4321"))
    await ours.run("true")
    server.kill_sessions()
    assert await ours.wait_closed()
    assert await process.read() == b""
    assert await process.stop(5) == "connection lost\nworking"
    for lost in (running, ours.run("true"), ours.upload(Path(__file__), "~/x")):
        with pytest.raises(SshError, match="the connection was lost: ") as caught:
            await lost
        assert caught.value.phase is Phase.LOST
    assert not ours.is_open


async def test_machine_that_falls_silent(connection: tuple[SshConnection, Any]) -> None:
    """Its kernel still answers: only its SSH server can tell that it is there."""
    ours, server = connection
    process = await ours.start("exec cat")
    with stopped(server.sessions()):
        process.write(b"x" * (32 << 20))
        assert await ours.wait_closed() == "no sign of life for 1.5 s"
        assert not ours.is_open
        assert await process.read() == b""
        with pytest.raises(SshError, match=r"the connection was lost: no sign of life for 1\.5 s"):
            await ours.run("true")
        await ours.close()


async def test_machine_that_has_nothing_to_say_stays(ssh_server: Any) -> None:
    """For longer than it has to answer."""
    ours = await SshConnection.open(replace(target(ssh_server), keepalive=LAX))
    process = await ours.start("exec cat")
    await ours.run(f"sleep {SILENCES * LAX + 1}")
    assert ours.is_open
    process.write(b"x")
    assert await process.read() == b"x"
    await process.stop(5)
    await ours.close()


async def test_long_transfer_is_no_silence(ssh_server: Any, tmp_path: Path) -> None:
    ours = await SshConnection.open(replace(target(ssh_server), keepalive=LAX))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(100 << 20)
    await ours.upload(tmp_path / "large", "~/large")
    assert await ours.download("~/large", tmp_path / "back") == 100 << 20
    await ours.run("rm ~/large")
    await ours.close()


async def test_close_ends_all_that_runs(ssh_server: Any) -> None:
    ours = await SshConnection.open(target(ssh_server))
    process = await ours.start("exec cat")
    running = asyncio.create_task(ours.run("exec sleep 4321"))
    reading = asyncio.create_task(process.read())
    await ours.run("true")
    await ours.close()
    await ours.close()
    assert await ours.wait_closed() == "closed"
    assert await reading == b""
    with pytest.raises(SshError, match="the connection was lost: closed"):
        await running
    process.write(b"more")
    assert await process.stop(5) == "connection lost"
    with pytest.raises(SshError, match="the connection was lost: closed"):
        await ours.run("true")


async def test_a_command_that_ends_while_the_end_of_its_input_is_sent(
    connection: tuple[SshConnection, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server ends the connection over a message for a command that both sides have seen the end of."""
    ours, _ = connection
    transport, is_sent = ours._transport, threading.Event()
    send = transport._send_user_message

    def send_slowly(message: Any) -> None:
        is_end_of_input = message.asbytes()[0] == 96
        if is_end_of_input:
            time.sleep(0.5)
        send(message)
        if is_end_of_input:
            is_sent.set()

    monkeypatch.setattr(transport, "_send_user_message", send_slowly)
    assert (await ours.run("sleep 0.2; exit 3")).exit_code == 3
    assert await asyncio.to_thread(is_sent.wait, 20)
    assert (await ours.run("echo here")).stdout == b"here\n"


async def test_reconnecting(connection: tuple[SshConnection, Any]) -> None:
    ours, server = connection
    server.kill_sessions()
    await ours.wait_closed()
    again = await SshConnection.open(target(server))
    assert (await again.run("echo here")).stdout == b"here\n"
    await again.close()
