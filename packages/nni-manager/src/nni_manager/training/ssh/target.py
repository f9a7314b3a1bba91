"""Where a machine is and how to sign in there."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nni_manager.training.ssh.errors import Phase, SshError

if TYPE_CHECKING:
    from nni_manager.training.ssh.ssh_config import HostSettings

NewHostKeys = Literal["accept", "refuse"]

DEFAULT_PORT = 22
DEFAULT_CONNECT_TIMEOUT = 30.0

_STANDARD_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_LONGEST_WAY = 8
_JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]\s]+\]|[^:@\[\]/\s]+)(?::(?P<port>\d+))?/?"
)


@dataclass(frozen=True, slots=True)
class SshTarget:
    """A machine, with all that is needed to connect.

    Attributes:
        name: What people call it, unique in the experiment: "gpu-a", "gpu-a:2222".
        host: The name or address to connect to.
        user: Whom to sign in as.
        port: The port of its SSH server.
        password: The password to sign in with; then nothing else is tried.
        key_files: The private keys to try, in this order.
        locked_key: The key file that passphrase unlocks.
        passphrase: What that key is locked with.
        only_these_keys: Keys that the agent holds are used only if they are among key_files.
        host_key_name: The name that its host key is known by, if that is not host and port.
        known_hosts: The files of known host keys; new ones are added to the first.
        hash_known_hosts: Whether the names of new ones are hashed there.
        new_host_keys: What to do with the key of a machine that is not known yet.
        proxy_jump: The machines on the way there, the nearest first.
        proxy_command: The command that leads there, "" for none; the first machine's of proxy_jump counts.
        connect_timeout: How long each step of connecting may take, in seconds.
        keepalive: After so many seconds of silence a machine is asked whether it lives; after three times as
            many the connection is given up.
    """

    name: str
    host: str
    user: str
    port: int = DEFAULT_PORT
    password: str | None = field(default=None, repr=False)
    key_files: tuple[Path, ...] = ()
    locked_key: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    only_these_keys: bool = False
    host_key_name: str | None = None
    known_hosts: tuple[Path, ...] = ()
    hash_known_hosts: bool = False
    new_host_keys: NewHostKeys = "accept"
    proxy_jump: tuple[SshTarget, ...] = ()
    proxy_command: str = ""
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    keepalive: float = 10.0

    @property
    def address(self) -> str:
        """The host and port, as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def machine_name(host: str, port: int) -> str:
    """Returns what a machine is called: its name, with the port if that is not the usual one."""
    return host if port == DEFAULT_PORT else f"{host}:{port}"


def ssh_target(
    host: str,
    user: str | None,
    *,
    port: int = DEFAULT_PORT,
    password: str | None = None,
    key_file: str | Path | None = None,
    passphrase: str | None = None,
    new_host_keys: NewHostKeys = "accept",
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
) -> SshTarget:
    """Returns a machine with what ~/.ssh/config says of it; what is given here wins.

    Args:
        host: Its name, its address or a Host of ~/.ssh/config.
        user: Whom to sign in as, None to leave that to ~/.ssh/config, or as who runs this.
        port: The port of its SSH server; 22 leaves it to ~/.ssh/config.
        password: The password to sign in with.
        key_file: The private key to sign in with, None for those of ~/.ssh/config and the agent, and the
            usual ones.
        passphrase: What the private key is locked with.
        new_host_keys: What to do with the key of a machine that is not known yet.
        connect_timeout: How long each step of connecting may take, in seconds.

    Raises:
        SshError: ~/.ssh/config cannot be read or understood.
    """
    explicit = None if key_file is None else Path(key_file).expanduser()
    wish = _Wish(password, explicit, passphrase, new_host_keys, connect_timeout)
    return _target(host, user, port, wish, way=(host,))


@dataclass(frozen=True, slots=True)
class _Wish:
    password: str | None = field(repr=False)
    key_file: Path | None
    passphrase: str | None = field(repr=False)
    new_host_keys: NewHostKeys
    connect_timeout: float


def _target(alias: str, user: str | None, port: int, wish: _Wish, way: tuple[str, ...]) -> SshTarget:
    from nni_manager.training.ssh.ssh_config import host_settings

    explicit_port = None if port == DEFAULT_PORT else port
    settings = host_settings(alias.strip("[]"), port=explicit_port, user=user)
    name = machine_name(alias, port) if len(way) == 1 else alias
    if port == DEFAULT_PORT and settings.port is not None:
        port = settings.port
    keys = _key_files(wish.key_file, settings)
    return SshTarget(
        name=name,
        host=settings.host,
        user=user or settings.user or getpass.getuser(),
        port=port,
        password=wish.password,
        key_files=keys,
        locked_key=wish.key_file or (keys[0] if keys else None),
        passphrase=wish.passphrase,
        only_these_keys=settings.identities_only,
        host_key_name=settings.host_key_alias,
        known_hosts=settings.known_hosts,
        hash_known_hosts=settings.hash_known_hosts,
        new_host_keys="refuse" if settings.strict else wish.new_host_keys,
        proxy_jump=_way_to(settings, wish, way),
        proxy_command=settings.proxy_command,
        connect_timeout=wish.connect_timeout,
    )


def _key_files(explicit: Path | None, settings: HostSettings) -> tuple[Path, ...]:
    named = [] if explicit is None else [explicit]
    named += [path for path in settings.identity_files if path not in named]
    if named:
        return tuple(named)
    standard = (Path.home() / ".ssh" / name for name in _STANDARD_KEYS)
    return tuple(path for path in standard if path.is_file())


def _way_to(settings: HostSettings, wish: _Wish, way: tuple[str, ...]) -> tuple[SshTarget, ...]:
    """Returns the machines to go through. The password is the target's alone: they do not get it."""
    targets: list[SshTarget] = []
    for jump in settings.proxy_jump:
        written = _JUMP.fullmatch(jump)
        if written is None:
            raise SshError(way[0], Phase.SETTINGS, f"ProxyJump {jump!r} is not [user@]host[:port]")
        host = written["host"].strip("[]")
        if host in way or len(way) > _LONGEST_WAY:
            raise SshError(way[0], Phase.SETTINGS, f"ProxyJump goes in a circle: {' -> '.join((*way, host))}")
        without_password = _Wish(
            None, wish.key_file, wish.passphrase, wish.new_host_keys, wish.connect_timeout
        )
        target = _target(
            host, written["user"], int(written["port"] or DEFAULT_PORT), without_password, (*way, host)
        )
        # Only the first machine is reached by a way of its own; each other one from the one before it.
        targets += (*target.proxy_jump, target) if not targets else (target,)
    return tuple(targets)
