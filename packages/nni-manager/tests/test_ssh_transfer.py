"""Files to and from a machine."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.target import ssh_target

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")

ODD_NAME = 'it\'s "odd"\n$HOME ünï'


@pytest.fixture
async def connection(ssh_server: Any, own_home: Path) -> AsyncIterator[SshConnection]:
    target = ssh_target("127.0.0.1", "worker", port=ssh_server.port, key_file=ssh_server.key)
    connection = await SshConnection.open(target)
    yield connection
    await connection.close()


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
async def test_there_and_back(connection: SshConnection, ssh_server: Any, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    told: list[tuple[int, int]] = []
    await connection.upload(tmp_path / "file", f"~/{ODD_NAME}", lambda *progress: told.append(progress))
    there = ssh_server.home / ODD_NAME
    assert there.read_bytes() == data
    assert stat.S_IMODE(there.stat().st_mode) == 0o600
    assert told == sorted(told)
    assert told[-1:] == ([(size, size)] if size else [])
    assert await connection.download(f"~/{ODD_NAME}", tmp_path / "back") == size
    assert (tmp_path / "back").read_bytes() == data


async def test_what_follows(connection: SshConnection, ssh_server: Any, tmp_path: Path) -> None:
    there, here = ssh_server.home / "log", tmp_path / "log"
    there.write_bytes(b"first\n")
    there.chmod(0o644)
    size = await connection.download("~/log", here)
    with there.open("ab") as file:
        file.write(b"second\n")
    here.write_bytes(here.read_bytes() + b"cut off, and more")
    assert await connection.download("~/log", here, size) == 13
    assert here.read_bytes() == b"first\nsecond\n"
    assert await connection.download("~/log", here, 13) == 13
    assert here.read_bytes() == b"first\nsecond\n"


async def test_files_that_are_not_there(connection: SshConnection, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{connection.name} has no file /no/such"):
        await connection.download("/no/such", tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        await connection.upload(tmp_path / "missing", "~/x")


async def test_files_that_are_not_ours(connection: SshConnection, tmp_path: Path) -> None:
    with pytest.raises(SshError) as caught:
        await connection.download("/etc/shadow", tmp_path / "x")
    assert caught.value.phase is Phase.TRANSFER
    assert caught.value.reason.startswith("/etc/shadow cannot be fetched: ")
    assert caught.value.reason.endswith("Permission denied")
    with pytest.raises(SshError) as caught:
        await connection.upload(Path(__file__), "/etc/new")
    assert caught.value.reason.startswith(f"{__file__} cannot be sent to /etc/new: ")
    assert caught.value.reason.endswith("Permission denied")


async def test_full_disk(start_ssh_server: Any, tmp_path: Path) -> None:
    server = start_ssh_server(
        prepare="mkdir home/worker/small; mount -t tmpfs -o size=64k,mode=777 none home/worker/small"
        "; mount --bind home/worker/small /home/worker/small"
    )
    connection = await SshConnection.open(
        ssh_target("127.0.0.1", "worker", port=server.port, key_file=server.key)
    )
    (tmp_path / "large").write_bytes(bytes(3_000_000))
    try:
        with pytest.raises(SshError, match=r"cannot be sent to ~/small/large: .*No space left on device"):
            await connection.upload(tmp_path / "large", "~/small/large")
        assert (await connection.run("ls -A ~/small")).stdout == b""
    finally:
        await connection.close()


async def test_half_a_file_never_gets_its_name(start_ssh_server: Any, tmp_path: Path) -> None:
    server = start_ssh_server()
    connection = await SshConnection.open(
        ssh_target("127.0.0.1", "worker", port=server.port, key_file=server.key)
    )
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200 << 20)
    begun = asyncio.Event()
    sending = asyncio.create_task(
        connection.upload(tmp_path / "large", "~/large", lambda sent, _: sent > 1 << 20 and begun.set())
    )
    await begun.wait()
    for process in server.sessions():
        with suppress(OSError):  # the first one that is killed takes others with it
            if Path(f"/proc/{process}/cmdline").read_text().startswith("sshd"):
                os.kill(process, signal.SIGKILL)
    with pytest.raises(SshError) as caught:
        await sending
    assert caught.value.phase is Phase.LOST
    await connection.close()
    again = await SshConnection.open(ssh_target("127.0.0.1", "worker", port=server.port, key_file=server.key))
    while (await again.run("pgrep -f '[p]art='")).stdout:
        pass
    assert (await again.run("ls ~")).stdout == b""
    await again.close()


async def test_many_at_a_time(connection: SshConnection, ssh_server: Any, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / str(number)).write_bytes(b"%d" % number * 100_000)
    await asyncio.gather(
        *(connection.upload(tmp_path / str(number), f"~/many-{number}") for number in range(30))
    )
    await asyncio.gather(
        *(connection.download(f"~/many-{number}", tmp_path / f"back-{number}") for number in range(30))
    )
    for number in range(30):
        assert (tmp_path / f"back-{number}").read_bytes() == b"%d" % number * 100_000
