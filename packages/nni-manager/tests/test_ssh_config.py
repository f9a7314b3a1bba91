"""What ~/.ssh/config says of a machine, beside what OpenSSH itself makes of it."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

import pytest
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.ssh_config import host_settings
from nni_manager.training.ssh.target import SshTarget, ssh_target

CONFIG = """\
Include more/*.conf
Host gpu-a gpu-b
    HostName %h.example.org
    Port 2222
    User alice
    IdentityFile "~/.ssh/a key"
Host gpu-b
    ProxyJump bob@bastion:2200
Match originalhost gpu-c
    HostName 10.0.0.3
    Include ports.conf
    HostKeyAlias c
Host *
    User carol
    IdentityFile ~/.ssh/second
    IdentitiesOnly yes
"""


@pytest.fixture
def config(own_home: Path) -> Path:
    folder = own_home / ".ssh"
    (folder / "more").mkdir()
    (folder / "more" / "x.conf").write_text("Host included\n  HostName 10.9.9.9\n  Port 99\n")
    (folder / "ports.conf").write_text("Port 2233\nHost never\n  HostName never\n")
    path = folder / "config"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("alias", ["gpu-a", "gpu-b", "gpu-c", "included", "elsewhere"])
def test_as_openssh_reads_it(config: Path, alias: str) -> None:
    # OpenSSH finds the home folder by the accounts, not by HOME.
    written = config.read_text().replace("Include ", f"Include {config.parent}/")
    (config.parent / "absolute").write_text(written)
    command = ["ssh", "-G", "-F", config.parent / "absolute", alias]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    told = dict(line.split(" ", 1) for line in answer.splitlines() if " " in line)
    settings = host_settings(alias)
    assert settings.host == told["hostname"]
    assert str(settings.port or 22) == told["port"]
    assert settings.user == told["user"]
    assert ",".join(settings.proxy_jump) == told.get("proxyjump", "")
    assert (settings.host_key_alias or "") == told.get("hostkeyalias", "")
    assert settings.identities_only == (told["identitiesonly"] == "yes")


def test_what_is_given_wins(config: Path) -> None:
    target = ssh_target("gpu-a", "dora", port=4444, key_file="/keys/own")
    assert (target.host, target.port, target.user) == ("gpu-a.example.org", 4444, "dora")
    assert target.key_files[0] == Path("/keys/own")
    assert target.name == "gpu-a:4444"


def test_what_is_not_given_is_looked_up(config: Path, own_home: Path) -> None:
    target = ssh_target("gpu-a", None)
    assert (target.host, target.port, target.user) == ("gpu-a.example.org", 2222, "alice")
    assert target.name == "gpu-a"
    assert target.key_files == (own_home / ".ssh" / "a key", own_home / ".ssh" / "second")
    assert target.only_these_keys


def test_way_through_other_machines(config: Path) -> None:
    (jump,) = ssh_target("gpu-b", "dora", password="secret", key_file="/keys/own").proxy_jump
    assert (jump.name, jump.host, jump.port, jump.user) == ("bastion", "bastion", 2200, "bob")
    assert jump.password is None, "the password is for the machine alone"


def test_way_of_the_way(own_home: Path) -> None:
    (own_home / ".ssh" / "config").write_text(
        "Host far\n  ProxyJump near,[::1]:2200\nHost near\n  ProxyJump door\n  HostName 10.0.0.2\n"
    )
    way = ssh_target("far", "dora").proxy_jump
    assert [(jump.host, jump.port) for jump in way] == [("door", 22), ("10.0.0.2", 22), ("::1", 2200)]


def test_no_configuration(own_home: Path) -> None:
    target = ssh_target("gpu-a", None)
    assert target == SshTarget(
        name="gpu-a",
        host="gpu-a",
        user=getpass.getuser(),
        known_hosts=(own_home / ".ssh" / "known_hosts", own_home / ".ssh" / "known_hosts2"),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Host\n", "Unparsable line Host"),
        ("Port abc\n", "abc"),
        ("Include config\n", "is included more than 16 deep"),
    ],
)
def test_what_cannot_be_used(own_home: Path, text: str, reason: str) -> None:
    (own_home / ".ssh" / "config").write_text(text)
    with pytest.raises(SshError, match=r"^gpu-a: the SSH configuration .* cannot be used: ") as caught:
        ssh_target("gpu-a", "dora")
    assert caught.value.phase is Phase.SETTINGS
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("jump", "reason"),
    [
        ("a b", "is not [user@]host[:port]"),
        ("gpu-a", "ProxyJump goes in a circle: gpu-a -> gpu-a"),
        ("other", "ProxyJump goes in a circle: gpu-a -> other -> other"),
    ],
)
def test_ways_that_lead_nowhere(own_home: Path, jump: str, reason: str) -> None:
    (own_home / ".ssh" / "config").write_text(f"Host *\n  ProxyJump {jump}\n")
    with pytest.raises(SshError) as caught:
        ssh_target("gpu-a", "dora")
    assert reason in str(caught.value)
    assert str(caught.value).startswith("gpu-a: ")


@pytest.mark.parametrize(
    ("text", "port", "command"),
    [
        ("ProxyCommand nc %h %p\n", 22, "nc inner 2200"),
        ("ProxyCommand nc %h %p\n", 2300, "nc inner 2300"),
        ("ProxyCommand ssh -l %r door -W %h:%p\n", 22, "ssh -l dora door -W inner:2200"),
        ("ProxyCommand none\n", 22, ""),
        ("ProxyJump door\n ProxyCommand nc %h %p\n", 22, ""),
    ],
)
def test_a_command_that_leads_to_a_machine(own_home: Path, text: str, port: int, command: str) -> None:
    head = "Host gpu-a\n HostName inner\n Port 2200\n User emil\n "
    (own_home / ".ssh" / "config").write_text(head + text)
    target = ssh_target("gpu-a", "dora", port=port)
    assert (target.proxy_command, target.user) == (command, "dora")
