"""Where a machine is and how to sign in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

NewHostKeys = Literal["accept", "refuse"]

DEFAULT_PORT = 22
DEFAULT_CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class SshTarget:
    """A machine, with all that is needed to connect.

    Attributes:
        name: What people call it, unique in the experiment: "gpu-a", "gpu-a:2222".
        host: The name or address to connect to.
        port: The port of its SSH server.
        user: Whom to sign in as.
        password: The password to sign in with; then nothing else is tried.
        key_files: The private keys to try, in this order.
        passphrase: What the first key is locked with.
        only_these_keys: Keys that the agent holds are used only if they are among key_files.
        host_key_name: The name that its host key is known by, if that is not host and port.
        known_hosts: The files of known host keys; new ones are added to the first.
        hash_known_hosts: Whether the names of new ones are hashed there.
        new_host_keys: What to do with the key of a machine that is not known yet.
        proxy_jump: The machines on the way there, the nearest first.
        connect_timeout: How long each step of connecting may take, in seconds.
    """

    name: str
    host: str
    user: str
    port: int = DEFAULT_PORT
    password: str | None = field(default=None, repr=False)
    key_files: tuple[Path, ...] = ()
    passphrase: str | None = field(default=None, repr=False)
    only_these_keys: bool = False
    host_key_name: str | None = None
    known_hosts: tuple[Path, ...] = ()
    hash_known_hosts: bool = False
    new_host_keys: NewHostKeys = "accept"
    proxy_jump: tuple[SshTarget, ...] = ()
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT


def ssh_target(
    host: str,
    user: str,
    *,
    port: int = DEFAULT_PORT,
    password: str | None = None,
    key_file: Path | None = None,
    passphrase: str | None = None,
    new_host_keys: NewHostKeys = "accept",
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
) -> SshTarget:
    """Returns a machine with what ~/.ssh/config says of it; what is given here wins.

    Args:
        host: Its name, its address or an alias of ~/.ssh/config.
        user: Whom to sign in as.
        port: The port of its SSH server; the usual one gives way to that of ~/.ssh/config.
        password: The password to sign in with.
        key_file: The private key to sign in with, None for those of ~/.ssh/config and the agent, and the
            usual ones.
        passphrase: What the private key is locked with.
        new_host_keys: What to do with the key of a machine that is not known yet.
        connect_timeout: How long each step of connecting may take, in seconds.

    Raises:
        SshError: ~/.ssh/config cannot be read or understood.
    """
    raise NotImplementedError
