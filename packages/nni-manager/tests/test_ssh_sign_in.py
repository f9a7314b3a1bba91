"""Signing in at an SSH server, by password, key and agent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.target import SshTarget, ssh_target

pytestmark = pytest.mark.usefixtures("own_home", "no_connection_is_left")

PASSPHRASE = "open sesame"


def target(server: Any, **settings: Any) -> SshTarget:
    return ssh_target("127.0.0.1", server.user, port=server.port, **settings)


async def user_of(target: SshTarget) -> str:
    connection = await SshConnection.open(target)
    try:
        return (await connection.run("id -un", check=True)).stdout.decode().strip()
    finally:
        await connection.close()


async def refusal(target: SshTarget) -> str:
    with pytest.raises(SshError) as caught:
        await SshConnection.open(target)
    assert caught.value.phase is Phase.SIGN_IN
    begin = f"{target.name}: cannot sign in as {target.user}: "
    assert str(caught.value).startswith(begin)
    return str(caught.value).removeprefix(begin)


@pytest.fixture
def locked_key(ssh_server: Any, new_key: Callable[..., Path], tmp_path: Path) -> Path:
    key = new_key(tmp_path / "locked", PASSPHRASE)
    with (ssh_server.home / ".ssh" / "authorized_keys").open("a") as file:
        file.write(Path(f"{key}.pub").read_text())
    return key


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """An agent; returns what adds a key that has no passphrase."""
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield lambda key: subprocess.run(["ssh-add", "-q", key], check=True)
        process.terminate()


async def test_password(ssh_server: Any) -> None:
    assert await user_of(target(ssh_server, password=ssh_server.password)) == "worker"


async def test_key(ssh_server: Any) -> None:
    assert await user_of(target(ssh_server, key_file=ssh_server.key)) == "worker"


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
async def test_kinds_of_keys(
    ssh_server: Any, new_key: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    key = new_key(tmp_path / kind, kind=kind)
    with (ssh_server.home / ".ssh" / "authorized_keys").open("a") as file:
        file.write(Path(f"{key}.pub").read_text())
    assert await user_of(target(ssh_server, key_file=key)) == "worker"


async def test_key_with_passphrase(ssh_server: Any, locked_key: Path) -> None:
    assert await user_of(target(ssh_server, key_file=locked_key, passphrase=PASSPHRASE)) == "worker"


async def test_wrong_passphrase(ssh_server: Any, locked_key: Path) -> None:
    reason = await refusal(target(ssh_server, key_file=locked_key, passphrase="close sesame"))
    assert reason == f"wrong passphrase for the key {locked_key}"


async def test_missing_passphrase(ssh_server: Any, locked_key: Path) -> None:
    reason = await refusal(target(ssh_server, key_file=locked_key))
    assert reason == f"the key {locked_key} is locked and no passphrase is given; set ssh_passphrase"


async def test_agent_has_the_locked_key(
    ssh_server: Any, locked_key: Path, agent: Callable[[Path], None], tmp_path: Path
) -> None:
    unlocked = tmp_path / "unlocked"
    shutil.copy(locked_key, unlocked)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", PASSPHRASE, "-N", "", "-f", unlocked], check=True)
    agent(unlocked)
    assert await user_of(target(ssh_server, key_file=locked_key)) == "worker"


async def test_agent_alone(ssh_server: Any, agent: Callable[[Path], None]) -> None:
    agent(ssh_server.key)
    assert await user_of(target(ssh_server)) == "worker"


async def test_identities_only_leaves_the_agents_other_keys_out(
    ssh_server: Any, agent: Callable[[Path], None], own_home: Path
) -> None:
    agent(ssh_server.key)
    (own_home / ".ssh" / "config").write_text("IdentitiesOnly yes\n")
    reason = await refusal(target(ssh_server))
    assert reason == "there is no key and no password; set ssh_key_file or password"


async def test_standard_key_of_the_user(ssh_server: Any, own_home: Path) -> None:
    shutil.copy(ssh_server.key, own_home / ".ssh" / "id_ed25519")
    assert await user_of(target(ssh_server)) == "worker"


async def test_wrong_password(ssh_server: Any) -> None:
    assert await refusal(target(ssh_server, password="wrong")) == "the password is refused"


async def test_refused_key(ssh_server: Any, new_key: Callable[..., Path], tmp_path: Path) -> None:
    key = new_key(tmp_path / "unknown")
    assert await refusal(target(ssh_server, key_file=key)) == f"the key {key} is refused"


async def test_too_many_keys(
    ssh_server: Any, new_key: Callable[..., Path], tmp_path: Path, agent: Callable[[Path], None]
) -> None:
    for number in range(8):
        agent(new_key(tmp_path / f"key-{number}"))
    reason = await refusal(target(ssh_server))
    assert re.search(r"the agent's key SHA256:\S+ is refused", reason)
    assert reason.endswith("the server ended the connection, perhaps after too many keys; set ssh_key_file")


async def test_files_that_are_no_keys(ssh_server: Any, tmp_path: Path) -> None:
    missing, text = tmp_path / "missing", tmp_path / "text"
    text.write_text("hello\n")
    assert await refusal(target(ssh_server, key_file=missing)) == (
        f"the key {missing} cannot be read: No such file or directory"
    )
    assert await refusal(target(ssh_server, key_file=text)) == (
        f"{text} is no private key of a kind that can be used (Ed25519, ECDSA and RSA can)"
    )


async def test_server_that_takes_no_passwords(start_ssh_server: Any) -> None:
    server = start_ssh_server("PasswordAuthentication no", "KbdInteractiveAuthentication no")
    reason = await refusal(target(server, password=server.password))
    assert reason == "the server takes no passwords, only publickey"


async def test_server_that_asks_for_the_password(start_ssh_server: Any) -> None:
    server = start_ssh_server("UsePAM yes", "PasswordAuthentication no", "KbdInteractiveAuthentication yes")
    assert await user_of(target(server, password=server.password)) == "worker"
    assert await refusal(target(server, password="wrong")) == "the password is refused"


async def test_server_that_asks_for_what_nobody_knows(start_ssh_server: Any) -> None:
    server = start_ssh_server("PasswordAuthentication no", "KbdInteractiveAuthentication yes")
    assert await refusal(target(server, password="wrong")) == "the password is refused"


async def test_server_that_takes_no_keys(start_ssh_server: Any) -> None:
    server = start_ssh_server("PubkeyAuthentication no", "KbdInteractiveAuthentication no")
    reason = await refusal(target(server, key_file=server.key))
    assert reason == "the server takes no keys, only password"


async def test_server_that_asks_for_both(start_ssh_server: Any) -> None:
    server = start_ssh_server("AuthenticationMethods publickey,password")
    reason = await refusal(target(server, key_file=server.key))
    assert reason == "the server asks for password besides, which cannot be given"


async def test_secrets_are_not_shown(ssh_server: Any, locked_key: Path) -> None:
    wrong = target(ssh_server, password="swordfish")
    assert "swordfish" not in repr(wrong) + await refusal(wrong)
    wrong = target(ssh_server, key_file=locked_key, passphrase="swordfish")
    assert "swordfish" not in repr(wrong) + await refusal(wrong)
    assert "swordfish" not in Path(f"/proc/{os.getpid()}/cmdline").read_text()
