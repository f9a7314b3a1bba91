"""Makes sure that a machine is the one it says it is, as OpenSSH does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.known_hosts import HostKey, KnownKey, add_known_key, key_name, known_keys
from nni_manager.training.ssh.target import SshTarget

if TYPE_CHECKING:
    import paramiko

logger = logging.getLogger(__name__)

_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


def preferred_kinds(target: SshTarget, offered: Sequence[str]) -> tuple[str, ...]:
    """Returns kinds of host keys with those first by which the machine is known.

    Else a machine known by one of its keys may show another, which is then unknown.

    Raises:
        SshError: The known hosts cannot be read.
    """
    known = {entry.key.kind for entry in _known(target) if not entry.revoked}
    if "ssh-rsa" in known:
        known.update(_RSA_SIGNATURES)
    return tuple(sorted(offered, key=lambda kind: kind not in known))


def verify_host_key(target: SshTarget, shown: paramiko.PKey) -> None:
    """Returns if the key is known, or new and accepted; then it is noted.

    Raises:
        SshError: It is another one than before, revoked, or new and new ones are refused.
    """
    key = HostKey(shown.get_name(), shown.asbytes())
    known = _known(target)
    if revoked := next((entry for entry in known if entry.revoked and entry.key == key), None):
        raise _refused(target, f"its host key {key.fingerprint} is revoked by {_place(revoked)}")
    valid = [entry for entry in known if not entry.revoked]
    if any(entry.key == key for entry in valid):
        return
    if valid:
        before = next((entry for entry in valid if entry.key.kind == key.kind), valid[0])
        raise _refused(
            target,
            f"host key changed: it shows {key.kind} {key.fingerprint}, but {_place(before)} has "
            f"{before.key.kind} {before.key.fingerprint}; somebody may be listening in. If the machine was "
            f"set up anew, remove that line",
        )
    if target.new_host_keys == "refuse":
        raise _refused(
            target,
            f"its host key {key.kind} {key.fingerprint} is not known; if it is right, add it with "
            f'"ssh {target.host}" or set new_host_keys to "accept"',
        )
    _note(target, key)


def _note(target: SshTarget, key: HostKey) -> None:
    if not target.known_hosts:
        logger.warning("%s: its host key %s is accepted and not noted anywhere", target.name, key.fingerprint)
        return
    path = target.known_hosts[0]
    try:
        add_known_key(_name(target), key, path, target.hash_known_hosts)
    except OSError as error:
        logger.warning(
            "%s: its host key %s is accepted but cannot be added to %s: %s",
            target.name,
            key.fingerprint,
            path,
            error.strerror,
        )
    else:
        logger.info(
            "%s: its new host key %s %s was added to %s", target.name, key.kind, key.fingerprint, path
        )


def _known(target: SshTarget) -> list[KnownKey]:
    try:
        return known_keys(_name(target), target.known_hosts)
    except OSError as error:
        raise _refused(target, f"known hosts cannot be read: {error}") from error


def _name(target: SshTarget) -> str:
    return (target.host_key_name or "").lower() or key_name(target.host, target.port)


def _place(entry: KnownKey) -> str:
    return f"line {entry.line} of {entry.path}"


def _refused(target: SshTarget, reason: str) -> SshError:
    return SshError(target.name, Phase.HOST_KEY, reason)
