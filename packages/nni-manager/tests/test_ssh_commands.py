"""Commands on a machine, whatever the user's shell and start-up files are like."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.training.ssh.connection import MOST_COMMANDS, SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.shell import Beginning, quoted, quoted_path, wrapped
from nni_manager.training.ssh.target import ssh_target

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")

ODD = 'it\'s "odd" \\ \\n $HOME `id` ! !! % %s ünï 😀 ~ * # & | ; <>\nsecond line\t'


async def connected(server: Any) -> SshConnection:
    return await SshConnection.open(ssh_target("127.0.0.1", "worker", port=server.port, key_file=server.key))


@pytest.fixture
async def connection(ssh_server: Any, own_home: Path) -> AsyncIterator[SshConnection]:
    connection = await connected(ssh_server)
    yield connection
    await connection.close()


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh", "/usr/bin/tcsh", "/usr/bin/fish"])
async def test_every_shell_runs_the_same(start_ssh_server: Any, shell: str) -> None:
    connection = await connected(start_ssh_server(shell=shell))
    try:
        result = await connection.run(f"printf %s {quoted(ODD)}; echo $0 >&2; exit 7")
        assert (result.exit_code, result.stdout.decode()) == (7, ODD)
        assert result.stderr.decode().strip() == "/bin/sh"
        await connection.upload(Path(__file__), "~/here")
        assert (await connection.run("cat ~/here", check=True)).stdout == Path(__file__).read_bytes()
    finally:
        await connection.close()


NOISY = "echo Welcome, $USER; echo 'last login: never' >&2; printf 'no newline'\n"


async def test_what_start_up_files_print_is_left_out(start_ssh_server: Any) -> None:
    server = start_ssh_server()
    (server.home / ".bashrc").write_text(NOISY * 1000 + "set -x; set -v\n")
    connection = await connected(server)
    try:
        result = await connection.run("echo out; echo err >&2")
        assert (result.stdout, result.stderr) == (b"out\n", b"err\n")
        process = await connection.start("cat")
        process.write(b"first")
        assert await process.read() == b"first"
        assert await process.stop(5) == "exit code 0"
    finally:
        await connection.close()


async def test_account_without_commands(start_ssh_server: Any) -> None:
    connection = await connected(start_ssh_server(shell="/usr/sbin/nologin"))
    try:
        with pytest.raises(SshError) as caught:
            await connection.run("true")
        assert caught.value.phase is Phase.COMMAND
        assert "the shell of the user ended and said" in caught.value.reason
        assert "account is currently not available" in caught.value.reason
    finally:
        await connection.close()


async def test_start_up_file_that_ends_the_shell(start_ssh_server: Any) -> None:
    server = start_ssh_server()
    (server.home / ".bashrc").write_text("exit 4\n")
    connection = await connected(server)
    try:
        with pytest.raises(
            SshError, match=r"no command can be run: the shell of the user ended \(exit code 4\)"
        ):
            await connection.run("true")
    finally:
        await connection.close()


async def test_start_up_file_that_waits(start_ssh_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nni_manager.training.ssh.process.BEGIN_SECONDS", 0.3)
    server = start_ssh_server()
    (server.home / ".bashrc").write_text("sleep 600\n")
    connection = await connected(server)
    try:
        with pytest.raises(SshError, match=r"does not get to it within 0\.3 s; a start-up file"):
            await connection.run("true")
    finally:
        await connection.close()


async def test_much_input_and_output(connection: SshConnection) -> None:
    data = os.urandom(1 << 20) * 20
    result = await connection.run("tee /dev/stderr", input=data)
    assert result.stdout == data
    assert result.stderr == data


async def test_thousands_of_lines_in_order(connection: SshConnection) -> None:
    process = await connection.start("exec cat")
    expected = b"".join(b"line %d\n" % number for number in range(20_000))
    for number in range(20_000):
        process.write(b"line %d\n" % number)
    received = b""
    while len(received) < len(expected):
        received += await process.read()
    assert received == expected
    assert await process.stop(5) == "exit code 0"
    assert await process.read() == b""


async def test_many_commands_at_a_time(connection: SshConnection) -> None:
    count = 5 * MOST_COMMANDS
    results = await asyncio.gather(*(connection.run(f"echo {number}") for number in range(count)))
    assert [int(result.stdout) for result in results] == list(range(count))


@pytest.mark.parametrize("setting", ["MaxSessions 1", "MaxSessions 2"])
async def test_few_sessions_a_connection(start_ssh_server: Any, setting: str, tmp_path: Path) -> None:
    connection = await connected(start_ssh_server(setting))
    try:
        process = await connection.start("exec cat")
        results = await asyncio.gather(*(connection.run(f"echo {number}") for number in range(5)))
        assert [int(result.stdout) for result in results] == list(range(5))
        await connection.upload(Path(__file__), "~/here")
        second = await connection.start("exec cat")
        for each in (process, second):
            each.write(b"x")
            assert await each.read() == b"x"
        assert await process.stop(5) == "exit code 0"
        # The second one, which has a connection of its own perhaps, is left to `close`.
    finally:
        await connection.close()
    assert await second.read() == b""
    assert (await second.stop(5)).startswith("connection lost")


async def test_no_sessions(start_ssh_server: Any) -> None:
    connection = await connected(start_ssh_server("MaxSessions 0"))
    try:
        with pytest.raises(SshError, match="its SSH server opens no session"):
            await connection.run("true")
    finally:
        await connection.close()


async def test_server_without_sftp(connection: SshConnection, tmp_path: Path) -> None:
    """The shared server has no Subsystem sftp."""
    await connection.upload(Path(__file__), "~/source")
    assert await connection.download("~/source", tmp_path / "copy") == Path(__file__).stat().st_size


async def test_command_that_takes_too_long(connection: SshConnection) -> None:
    command = "sleep 4321 & sleep 4322; true"
    with pytest.raises(SshError, match=r"took longer than 0\.5 s and was stopped") as caught:
        await connection.run(command, timeout=0.5)
    assert caught.value.phase is Phase.COMMAND
    left = await connection.run("ps -eo args | grep '[s]leep 432'")
    assert left.stdout == b""


async def test_checked_command(connection: SshConnection) -> None:
    with pytest.raises(SshError) as caught:
        await connection.run("echo trouble >&2; exit 3", check=True, purpose="the preparation")
    assert str(caught.value) == f"{connection.name}: trouble (exit code 3 of the preparation)"
    await connection.run("true", check=True)


async def test_command_that_kills_itself(connection: SshConnection) -> None:
    assert (await connection.run("sh -c 'kill -9 $$'")).exit_code == 128 + signal.SIGKILL
    with pytest.raises(SshError, match=r"was killed$"):
        await connection.run("kill -9 $$")


async def test_process_that_is_killed(connection: SshConnection, caplog: pytest.LogCaptureFixture) -> None:
    process = await connection.start("echo first >&2; echo last >&2; echo; exec sleep 4321")
    await process.read()
    there = await connection.run(f"ps -o args= -p {process.process_id}")
    assert there.stdout.decode().strip() == "sleep 4321"
    assert await process.stop(0) == "killed by a signal\nfirst\nlast"
    assert f"{connection.name}: first" in caplog.text
    assert (await connection.run(f"kill -0 {process.process_id}")).exit_code != 0


async def test_process_that_ignores_its_input(connection: SshConnection) -> None:
    """Writing never waits; what a dead one would get is lost."""
    process = await connection.start("exec sleep 4321")
    process.write(b"x" * (64 << 20))
    assert await process.stop(0) == "killed by a signal"
    process.write(b"more")


async def test_canceled_command(connection: SshConnection) -> None:
    for delay in (0, 0.01, 0.05, 0.2):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.run("sleep 4321"), delay)
    await asyncio.gather(*(connection.run("true") for _ in range(2 * MOST_COMMANDS)))


@given(
    st.lists(st.binary(max_size=200)).map(b"".join),
    st.lists(st.binary(max_size=100)).map(b"".join),
    st.integers(min_value=1, max_value=50),
)
def test_beginning_is_found_however_it_arrives(noise: bytes, data: bytes, size: int) -> None:
    beginning = Beginning("0123456789abcdef")
    whole = noise + b"0123456789abcdef 42\n" + data
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert b"".join(map(beginning.take, pieces)) == data
    assert beginning.process_id == 42


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50))
def test_every_text_reaches_the_command(text: str) -> None:
    line, *_ = wrapped(f"printf %s {quoted(text)}")
    assert "\n" not in line
    assert line.isascii()
    told = subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=True)
    assert told.stdout.split(b"\n", 1)[1] == text.encode()


def test_paths() -> None:
    assert quoted_path("~/it's") == "\"$HOME\"/'it'\\''s'"
    assert quoted_path("~") == '"$HOME"'
    assert quoted_path("/a b") == "'/a b'"
    assert quoted_path("-rf") == "'./-rf'"
