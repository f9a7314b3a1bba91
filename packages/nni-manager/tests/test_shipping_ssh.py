"""Code and SDK by a real SSH server."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nni_manager.training.shipping.code import pack_code
from nni_manager.training.shipping.ship import remove_there, ship
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.target import ssh_target

PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin") or ""

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")


@pytest.fixture
async def connection(ssh_server: Any, own_home: Path) -> AsyncIterator[SshConnection]:
    target = ssh_target("127.0.0.1", "worker", port=ssh_server.port, key_file=ssh_server.key)
    connection = await SshConnection.open(target)
    yield connection
    await connection.close()


async def test_code_goes_to_a_machine_and_runs_there(
    connection: SshConnection, ssh_server: Any, tmp_path: Path
) -> None:
    if not PYTHON:
        pytest.skip("there is no Python that other users may run")
    code = tmp_path / "code"
    code.mkdir()
    name = os.fsdecode(b"odd '\xff\n$HOME.py")
    (code / name).write_text("import nni; print(nni.__file__)")
    (code / "link").symlink_to(name)
    archive = pack_code(code, tmp_path / "packed", experiments_directory=tmp_path)
    told: list[tuple[int, int]] = []
    shipped = await ship(
        connection, archive, "~/nni-experiments/e1", PYTHON, lambda *sizes: told.append(sizes)
    )
    again = await ship(connection, archive, "~/nni-experiments/e1", PYTHON, lambda *sizes: told.append(sizes))
    assert again == shipped and told[-1] == (archive.packed_byte_count, archive.packed_byte_count)
    assert sum(sizes == told[-1] for sizes in told) == 1
    place = ssh_server.home / "nni-experiments" / "e1"
    assert shipped.code_directory.endswith(f"/worker/nni-experiments/e1/code/{archive.sha256}")
    assert [path.name for path in (place / "code").iterdir()] == [archive.sha256]
    trial = await connection.run(
        f"cd {shlex.quote(shipped.code_directory)} && "
        f"PYTHONPATH={shlex.quote(shipped.sdk_directory)} {shlex.quote(PYTHON)} -S link"
    )
    assert trial.stdout.decode().strip() == f"{shipped.sdk_directory}/nni/__init__.py", trial.stderr
    assert await remove_there(connection, PYTHON, shipped.directory) == []
    assert not place.exists()
