"""Whether a machine is the one it says it is."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.known_hosts import HostKey, add_known_key, key_name, known_keys
from nni_manager.training.ssh.target import SshTarget, ssh_target

pytestmark = pytest.mark.usefixtures("no_connection_is_left")


def target(server: Any, **settings: Any) -> SshTarget:
    return ssh_target("127.0.0.1", server.user, port=server.port, key_file=server.key, **settings)


async def connect(target: SshTarget) -> None:
    connection = await SshConnection.open(target)
    await connection.close()


async def refusal(target: SshTarget) -> str:
    with pytest.raises(SshError) as caught:
        await SshConnection.open(target)
    assert caught.value.phase is Phase.HOST_KEY
    assert str(caught.value).startswith(f"{target.name}: ")
    return caught.value.reason


def public_key(server: Any) -> str:
    return " ".join((server.folder / "host_key.pub").read_text().split()[:2])


def fingerprint(key: Path) -> str:
    told = subprocess.run(["ssh-keygen", "-l", "-f", key], check=True, capture_output=True, text=True)
    return told.stdout.split()[1]


def entry(server: Any) -> str:
    return f"[127.0.0.1]:{server.port} {public_key(server)}\n"


async def test_a_new_machine_is_noted(ssh_server: Any, own_home: Path) -> None:
    known_hosts = own_home / ".ssh" / "known_hosts"
    await connect(target(ssh_server))
    assert known_hosts.read_text() == entry(ssh_server)
    assert stat.S_IMODE(known_hosts.stat().st_mode) == 0o600
    await connect(target(ssh_server, new_host_keys="refuse"))
    assert known_hosts.read_text() == entry(ssh_server)


async def test_ssh_knows_what_we_noted(ssh_server: Any, own_home: Path) -> None:
    (own_home / ".ssh" / "config").write_text("HashKnownHosts yes\n")
    await connect(target(ssh_server))
    known_hosts = own_home / ".ssh" / "known_hosts"
    assert "127.0.0.1" not in known_hosts.read_text()
    ssh = ["ssh", "-F", "none", "-i", ssh_server.key, "-p", str(ssh_server.port)]
    ssh += ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known_hosts}"]
    subprocess.run([*ssh, "worker@127.0.0.1", "true"], check=True, capture_output=True)
    await connect(target(ssh_server, new_host_keys="refuse"))


async def test_a_new_machine_is_refused(ssh_server: Any, own_home: Path) -> None:
    reason = await refusal(target(ssh_server, new_host_keys="refuse"))
    assert (
        f"its host key ssh-ed25519 {fingerprint(ssh_server.folder / 'host_key.pub')} is not known" in reason
    )
    assert not (own_home / ".ssh" / "known_hosts").exists()


async def test_strict_checking_of_ssh_config_is_honoured(ssh_server: Any, own_home: Path) -> None:
    (own_home / ".ssh" / "config").write_text("StrictHostKeyChecking yes\n")
    assert "is not known" in await refusal(target(ssh_server))


@pytest.mark.parametrize("policy", ["accept", "refuse"])
async def test_a_changed_key_is_refused(
    ssh_server: Any, own_home: Path, new_key: Any, tmp_path: Path, policy: str
) -> None:
    old = new_key(tmp_path / "old").with_suffix(".pub")
    known_hosts = own_home / ".ssh" / "known_hosts"
    known_hosts.write_text(
        f"# comment\n[127.0.0.1]:{ssh_server.port} {' '.join(old.read_text().split()[:2])}\n"
    )
    reason = await refusal(target(ssh_server, new_host_keys=policy))
    assert reason.startswith(
        f"host key changed: it shows ssh-ed25519 {fingerprint(ssh_server.folder / 'host_key.pub')}, "
        f"but line 2 of {known_hosts} has ssh-ed25519 {fingerprint(old)}"
    )


async def test_a_key_of_another_kind_does_not_pass_for_new(
    ssh_server: Any, own_home: Path, new_key: Any, tmp_path: Path
) -> None:
    old = new_key(tmp_path / "old", kind="rsa").with_suffix(".pub")
    (own_home / ".ssh" / "known_hosts").write_text(
        f"[127.0.0.1]:{ssh_server.port} {' '.join(old.read_text().split()[:2])}\n"
    )
    assert "host key changed" in await refusal(target(ssh_server))


async def test_the_known_one_of_several_keys_is_asked_for(start_ssh_server: Any, own_home: Path) -> None:
    server = start_ssh_server("HostKey /etc/ssh-second", prepare=_SECOND_KEY)
    second = next(server.folder.glob("second.pub"))
    (own_home / ".ssh" / "known_hosts").write_text(
        f"[127.0.0.1]:{server.port} {' '.join(second.read_text().split()[:2])}\n"
    )
    await connect(target(server, new_host_keys="refuse"))


_SECOND_KEY = """
ssh-keygen -q -t ecdsa -N '' -f second
sed -i "s#/etc/ssh-second#$PWD/second#" sshd_config
"""


async def test_a_revoked_key_is_refused(ssh_server: Any, own_home: Path) -> None:
    (own_home / ".ssh" / "known_hosts").write_text(f"@revoked * {public_key(ssh_server)}\n")
    assert "is revoked by line 1 of" in await refusal(target(ssh_server))


async def test_alias_of_host_keys(ssh_server: Any, own_home: Path) -> None:
    (own_home / ".ssh" / "config").write_text("HostKeyAlias lab-machine\n")
    (own_home / ".ssh" / "known_hosts").write_text(f"lab-machine {public_key(ssh_server)}\n")
    await connect(target(ssh_server, new_host_keys="refuse"))


async def test_known_hosts_that_cannot_be_written_are_told(
    ssh_server: Any, own_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (own_home / ".ssh" / "config").write_text("UserKnownHostsFile /proc/known_hosts\n")
    await connect(target(ssh_server))
    assert "is accepted but cannot be added to /proc/known_hosts" in caplog.text


KEY = HostKey("ssh-ed25519", b"key")
OTHER = HostKey("ssh-ed25519", b"other")


@pytest.mark.parametrize(
    ("names", "name", "found"),
    [
        ("gpu-a", "gpu-a", True),
        ("GPU-A", "gpu-a", True),
        ("gpu-a,10.0.0.1", "10.0.0.1", True),
        ("gpu-?", "gpu-b", True),
        ("*.lab,!bad.lab", "good.lab", True),
        ("*.lab,!bad.lab", "bad.lab", False),
        ("gpu-a", "[gpu-a]:2222", False),
        ("[gpu-a]:2222", "[gpu-a]:2222", True),
        ("gpu.a", "gpuxa", False),
        ("|1|broken", "gpu-a", False),
    ],
)
def test_patterns(tmp_path: Path, names: str, name: str, found: bool) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"{names} ssh-ed25519 a2V5\n")
    assert [known.key for known in known_keys(name, [path])] == ([KEY] if found else [])


def test_hashed_names(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("other ssh-ed25519 b3RoZXI=")  # no newline at the end
    add_known_key("gpu-a", KEY, path, hashed=True)
    add_known_key("gpu-b", OTHER, path, hashed=True)
    assert [(known.key, known.line) for known in known_keys("gpu-a", [path])] == [(KEY, 2)]
    assert [(known.key, known.line) for known in known_keys("gpu-b", [path])] == [(OTHER, 3)]
    assert "gpu" not in path.read_text()


def test_lines_that_mean_nothing_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("\n# gpu-a ssh-ed25519 a2V5\ngpu-a\ngpu-a ssh-ed25519 %%\n@cert-authority gpu-a x a2V5\n")
    assert known_keys("gpu-a", [path, tmp_path / "missing"]) == []


def test_names_of_keys() -> None:
    assert key_name("GPU-A", 22) == "gpu-a"
    assert key_name("::1", 2222) == "[::1]:2222"
