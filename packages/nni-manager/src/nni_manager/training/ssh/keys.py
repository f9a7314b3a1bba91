"""Private keys to sign in with: those in files, and those that an agent holds."""

from __future__ import annotations

import base64
import binascii
import struct
from pathlib import Path

import paramiko

_KINDS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class KeyFileError(Exception):
    """A private key cannot be used; the text says why."""


def load_key(path: Path, passphrase: str | None) -> paramiko.PKey:
    """Returns a private key, with the certificate beside it if there is one.

    Args:
        path: Its file.
        passphrase: What it is locked with, None if that is not known.

    Raises:
        KeyFileError: It cannot be used.
    """
    try:
        path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"the key {path} cannot be read: {error.strerror}") from error
    key, locked = _parsed(path, None)
    if key is None and locked and passphrase is None:
        raise KeyFileError(f"the key {path} is locked and no passphrase is given; set ssh_passphrase")
    if key is None and locked:
        key, _ = _parsed(path, passphrase)
        if key is None:
            raise KeyFileError(f"wrong passphrase for the key {path}")
    if key is None:
        raise KeyFileError(
            f"{path} is no private key of a kind that can be used (Ed25519, ECDSA and RSA can)"
        )
    certificate = Path(f"{path}-cert.pub")
    if certificate.is_file():
        try:
            key.load_certificate(str(certificate))
        except (paramiko.SSHException, ValueError) as error:
            raise KeyFileError(f"the certificate {certificate} cannot be used: {error}") from error
    return key


def public_blob(path: Path) -> bytes | None:
    """Returns the public key beside a private one, None if there is none."""
    try:
        return base64.b64decode(Path(f"{path}.pub").read_text().split()[1])
    except (OSError, ValueError, IndexError, binascii.Error):
        return None


def _parsed(path: Path, passphrase: str | None) -> tuple[paramiko.PKey | None, bool]:
    """Returns the key, None if no kind of key is there, and whether a passphrase is missing."""
    locked = False
    for kind in _KINDS:
        try:
            return kind.from_private_key_file(str(path), passphrase), False
        except paramiko.PasswordRequiredException:
            locked = True
        except (paramiko.SSHException, ValueError, TypeError, IndexError, struct.error):
            continue
    return None, locked
