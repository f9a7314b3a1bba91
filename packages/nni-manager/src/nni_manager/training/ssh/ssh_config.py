"""What the SSH configuration of the user, and of this computer, says of a machine."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.config import SSHConfigDict

from nni_manager.training.ssh.errors import Phase, SshError

SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
SYSTEM_KNOWN_HOSTS = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))

_DEEPEST_INCLUDE = 16
_SETTING = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What is said of a machine.

    Attributes:
        host: The name or address to connect to.
        port: The port, None if nothing is said.
        user: Whom to sign in as, None if nothing is said.
        identity_files: The private keys to try.
        identities_only: Whether the agent's other keys are left out.
        host_key_alias: The name that its host key is known by, None if nothing is said.
        known_hosts: The files of known host keys, those of this computer last.
        hash_known_hosts: Whether the names of new ones are hashed.
        strict: Whether machines that are not known are refused.
        proxy_jump: The machines on the way, as `[user@]host[:port]`, the nearest first.
        proxy_command: The command that leads to the machine, "" for none.
    """

    host: str
    port: int | None
    user: str | None
    identity_files: tuple[Path, ...]
    identities_only: bool
    host_key_alias: str | None
    known_hosts: tuple[Path, ...]
    hash_known_hosts: bool
    strict: bool
    proxy_jump: tuple[str, ...]
    proxy_command: str


def host_settings(alias: str, *, port: int | None = None, user: str | None = None) -> HostSettings:
    """Returns what the configuration says of a machine.

    Args:
        alias: Its name as people write it.
        port: The port that is wanted whatever the configuration says, None for none.
        user: Whom to sign in as whatever the configuration says, None for nobody.

    Raises:
        SshError: The configuration cannot be read or understood, or asks for what is not supported.
    """
    user_config = Path.home() / ".ssh" / "config"
    try:
        # What is obtained first counts, so what the user says goes first.
        wanted = {"Port": port, "User": user}
        lines = [f"{name} {value}" for name, value in wanted.items() if value is not None]
        lines += [*_lines(user_config, user_config.parent, 0), "Host *"]
        lines += _lines(SYSTEM_CONFIG, SYSTEM_CONFIG.parent, 0)
        found = paramiko.SSHConfig.from_text("\n".join(lines)).lookup(alias)
        return _settings(alias, found)
    except (OSError, ValueError, KeyError, ImportError, paramiko.SSHException) as error:
        raise SshError(
            alias, Phase.SETTINGS, f"the SSH configuration ({user_config}) cannot be used: {error}"
        ) from error


def _settings(alias: str, found: SSHConfigDict) -> HostSettings:
    port = found.get("port")
    jumps = found.get("proxyjump") or "none"
    command = "" if "proxyjump" in found else found.get("proxycommand") or ""
    known = found.get("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2").split()
    return HostSettings(
        host=found.get("hostname", alias),
        port=None if port is None else int(port),
        user=found.get("user"),
        identity_files=tuple(_path(name) for name in found.get("identityfile", ()) if name.lower() != "none"),
        identities_only=found.get("identitiesonly", "no").lower() == "yes",
        host_key_alias=found.get("hostkeyalias"),
        known_hosts=(*(_path(name) for name in known if name.lower() != "none"), *SYSTEM_KNOWN_HOSTS),
        hash_known_hosts=found.get("hashknownhosts", "no").lower() == "yes",
        strict=found.get("stricthostkeychecking", "ask").lower() == "yes",
        proxy_jump=() if jumps.lower() == "none" else tuple(jump.strip() for jump in jumps.split(",")),
        proxy_command=command,
    )


def _path(written: str) -> Path:
    text = written.strip('"').replace("%d", str(Path.home())).replace("%u", getpass.getuser())
    return Path(text).expanduser()


def _lines(path: Path, base: Path, depth: int) -> Iterator[str]:
    """Yields the lines of a file and of what it includes; the library knows no Include."""
    if not path.is_file():
        return
    if depth > _DEEPEST_INCLUDE:
        raise ValueError(f"{path} is included more than {_DEEPEST_INCLUDE} deep")
    block = "Host *"
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        setting = _SETTING.match(line)
        name = setting[1].lower() if setting else ""
        if setting is None or name != "include":
            block = line if name in ("host", "match") else block
            yield line
            continue
        for pattern in setting[2].split():
            place = Path(pattern.strip('"')).expanduser()
            anchor = Path(place.anchor) if place.is_absolute() else base
            relative = place.relative_to(anchor) if place.is_absolute() else place
            for included in sorted(anchor.glob(str(relative))):
                yield from _lines(included, base, depth + 1)
        yield block  # what an included file began does not go on here
