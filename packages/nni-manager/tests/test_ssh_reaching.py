"""Machines that cannot be reached, or answer late, or are reached by way of others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.target import ssh_target

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")

BANNER_DELAY = 15.5


async def refusal(host: str, port: int, connect_timeout: float = 5.0) -> str:
    target = ssh_target(host, "worker", port=port, password="x", connect_timeout=connect_timeout)
    with pytest.raises(SshError) as caught:
        await SshConnection.open(target)
    assert caught.value.phase is Phase.CONNECT
    assert str(caught.value) == f"{target.name}: {caught.value.reason}"
    return caught.value.reason


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where each connection is answered by a function, one after another."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with closing(connection):
                    answer(connection)

        thread = threading.Thread(target=serve, name="answers")
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_unroutable_address() -> None:
    reason = asyncio.run(refusal("192.0.2.1", 22, connect_timeout=0.3))
    assert reason.startswith("unreachable at 192.0.2.1:22: ")
    # What the network says depends on where this runs.
    assert reason.rsplit(": ", 1)[1].startswith(
        ("no answer within", "network is", "no route", "connection refused")
    )


@pytest.fixture
def mute_port() -> Iterator[int]:
    """A port whose queue is full: connections are answered as by a firewall, not at all."""
    with ExitStack() as sockets:
        server = sockets.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        full = False
        while not full:
            filler = sockets.enter_context(socket.socket())
            filler.settimeout(0.3)
            full = filler.connect_ex(server.getsockname()) != 0
        yield server.getsockname()[1]


async def test_no_answer(mute_port: int) -> None:
    reason = await refusal("127.0.0.1", mute_port, connect_timeout=0.3)
    assert reason == f"unreachable at 127.0.0.1:{mute_port}: no answer within 0.3 s"


async def test_an_attempt_to_connect_can_be_given_up(mute_port: int) -> None:
    target = ssh_target("127.0.0.1", "worker", port=mute_port, password="x", connect_timeout=60)
    before = syn_sent()
    opening = asyncio.create_task(SshConnection.open(target))
    while syn_sent() == before:
        await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.to_thread(wait_until_gone, "ssh 127.0.0.1")


def syn_sent() -> int:
    return sum(each.status == "SYN_SENT" for each in psutil.Process().net_connections("tcp"))


def wait_until_gone(thread: str) -> None:
    for each in threading.enumerate():
        if each.name.startswith(thread):
            each.join(10)
            assert not each.is_alive()


async def test_closed_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert await refusal("127.0.0.1", port) == f"unreachable at 127.0.0.1:{port}: connection refused"


async def test_unknown_name() -> None:
    reason = await refusal("no-such-machine.invalid", 22)
    assert reason.startswith("unreachable at no-such-machine.invalid:22: its address cannot be found: ")


async def test_what_is_no_ssh_server() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"SSH-1.5-Ancient\r\n")
        connection.recv(100)

    with listening(answer) as port:
        reason = await refusal("127.0.0.1", port)
    assert (
        reason == f"no SSH connection to 127.0.0.1:{port}: what answers there is no SSH server of version 2"
    )


async def test_server_that_hangs_up() -> None:
    with listening(lambda connection: None) as port:
        reason = await refusal("127.0.0.1", port)
    assert reason.startswith(
        f"no SSH connection to 127.0.0.1:{port}: what answers there ended the connection"
    )


def wait_for(event: threading.Event) -> None:
    event.wait()


async def test_silent_server() -> None:
    enough = threading.Event()
    with listening(lambda connection: wait_for(enough)) as port:
        reason = await refusal("127.0.0.1", port, connect_timeout=0.5)
        enough.set()
    assert reason == (
        f"no SSH connection to 127.0.0.1:{port}: it accepts connections, but its SSH server said nothing "
        "within 0.5 s; a longer connect_timeout may help"
    )


@contextmanager
def late(server: Any, delay: float) -> Iterator[int]:
    """A port that leads to a server, which says nothing at first."""

    def answer(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as inner:
            threading.Event().wait(delay)

            def forward(source: socket.socket, sink: socket.socket) -> None:
                with suppress(OSError):
                    while data := source.recv(65536):
                        sink.sendall(data)
                with suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)

            back = threading.Thread(target=forward, args=(inner, connection), name="back")
            back.start()
            forward(connection, inner)
            back.join()

    with listening(answer) as port:
        yield port


async def test_late_banner_within_the_limit(ssh_server: Any) -> None:
    with late(ssh_server, 1.0) as port:
        target = ssh_target("127.0.0.1", "worker", port=port, key_file=ssh_server.key, connect_timeout=60)
        connection = await SshConnection.open(target)
        await connection.close()


@pytest.mark.slow
async def test_banner_after_fifteen_seconds(ssh_server: Any) -> None:
    """The library's own limit is 15 s."""
    with late(ssh_server, BANNER_DELAY) as port, late(ssh_server, BANNER_DELAY) as other_port:
        target = ssh_target("127.0.0.1", "worker", port=port, key_file=ssh_server.key, connect_timeout=60)
        connection, refused = await asyncio.gather(
            SshConnection.open(target), refusal("127.0.0.1", other_port, connect_timeout=5)
        )
        await connection.close()
        assert "said nothing within 5 s" in refused


async def test_connecting_can_be_given_up() -> None:
    enough, reached = threading.Event(), threading.Event()

    def answer(connection: socket.socket) -> None:
        reached.set()
        enough.wait()

    with listening(answer) as port:
        target = ssh_target("127.0.0.1", "worker", port=port, password="x", connect_timeout=60)
        opening = asyncio.create_task(SshConnection.open(target))
        await asyncio.to_thread(reached.wait)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        enough.set()


@pytest.fixture
def by_way(ssh_server: Any, start_ssh_server: Any, own_home: Path) -> tuple[Any, Any, Path]:
    """A machine, the machine that leads to it, and the configuration that says so."""
    door = start_ssh_server()
    config = own_home / ".ssh" / "config"
    config.write_text(
        f"Host inner\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n  ProxyJump worker@door\n"
        f"  IdentityFile {ssh_server.key}\n"
        f"Host door\n  HostName 127.0.0.1\n  Port {door.port}\n  IdentityFile {door.key}\n"
    )
    return ssh_server, door, config


async def test_by_way_of_another_machine(by_way: tuple[Any, Any, Path]) -> None:
    connection = await SshConnection.open(ssh_target("inner", "worker"))
    try:
        result = await connection.run("cat", input=b"x" * 3_000_000)
        assert len(result.stdout) == 3_000_000
        peer = (await connection.run("echo $SSH_CONNECTION")).stdout.split()
        assert int(peer[3]) == by_way[0].port
    finally:
        await connection.close()


async def test_the_other_machine_goes_away(by_way: tuple[Any, Any, Path]) -> None:
    connection = await SshConnection.open(ssh_target("inner", "worker"))
    by_way[1].process.kill()
    assert await connection.wait_closed()
    assert not connection.is_open
    await connection.close()


async def test_the_other_machine_refuses_us(by_way: tuple[Any, Any, Path]) -> None:
    (by_way[1].home / ".ssh" / "authorized_keys").write_text("")
    with pytest.raises(SshError) as caught:
        await SshConnection.open(ssh_target("inner", "worker"))
    assert str(caught.value).startswith("inner: by way of door: cannot sign in as worker: the key ")


async def test_the_machine_cannot_be_reached_from_the_other(by_way: tuple[Any, Any, Path]) -> None:
    config = by_way[2]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config.write_text(config.read_text().replace(f"Port {by_way[0].port}", f"Port {port}"))
    with pytest.raises(SshError) as caught:
        await SshConnection.open(ssh_target("inner", "worker"))
    assert caught.value.reason == f"unreachable at 127.0.0.1:{port} from door: connect failed"


async def test_by_a_command(ssh_server: Any, start_ssh_server: Any, own_home: Path) -> None:
    """Its process ends with the connection, and the connection with it."""
    door = start_ssh_server()
    (own_home / ".ssh" / "config").write_text(
        f"Host inner\n  HostName 127.0.0.1\n  Port {ssh_server.port}\n  IdentityFile {ssh_server.key}\n"
        f"  ProxyCommand ssh -F none -i {door.key} -o UserKnownHostsFile={own_home}/known -o BatchMode=yes "
        f"-o StrictHostKeyChecking=no -p {door.port} worker@127.0.0.1 -W %h:%p\n"
    )
    connection = await SshConnection.open(ssh_target("inner", "worker"))
    try:
        result = await connection.run("cat", input=b"x" * 3_000_000)
        assert len(result.stdout) == 3_000_000
        assert len(_commands("ssh -F none")) == 1
    finally:
        await connection.close()
    assert _commands("ssh -F none") == []
    connection = await SshConnection.open(ssh_target("inner", "worker"))
    try:
        _commands("ssh -F none")[0].kill()
        assert await connection.wait_closed()
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "sh -c 'echo no way; echo no way there >&2; exit 3' secret",
            "ProxyCommand sh: no way there (exit code 3)",
        ),
        ("no-such-program %h secret", "ProxyCommand no-such-program: "),
    ],
)
async def test_a_command_that_leads_nowhere(own_home: Path, command: str, words: str) -> None:
    (own_home / ".ssh" / "config").write_text(f"Host inner\n  ProxyCommand {command}\n")
    reason = await refusal("inner", 22)
    assert words in reason and "secret" not in reason


def _commands(beginning: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if " ".join(child.cmdline()).startswith(beginning):
                found.append(child)
    return found
