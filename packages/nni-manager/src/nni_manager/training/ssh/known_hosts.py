"""The keys of known machines, in OpenSSH's files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HASHED = "|1|"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A machine's public key.

    Attributes:
        kind: Its type, such as "ssh-ed25519".
        blob: The key in SSH's own encoding.
    """

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """What `ssh-keygen -l` prints of it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that a file holds for a machine.

    Attributes:
        key: The key.
        path: The file.
        line: The number of its line.
        revoked: Whether it is never to be accepted.
    """

    key: HostKey
    path: Path
    line: int
    revoked: bool = False


def key_name(host: str, port: int) -> str:
    """Returns the name that a machine's key has in these files."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def known_keys(name: str, paths: Sequence[Path]) -> list[KnownKey]:
    """Returns the keys that files hold for a machine; files that are not there hold none.

    Raises:
        OSError: A file cannot be read.
    """
    found = []
    for path in paths:
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        for number, line in enumerate(text.splitlines(), 1):
            found += [
                KnownKey(key, path, number, revoked)
                for names, key, revoked in _entries(line)
                if _matches(name, names)
            ]
    return found


def add_known_key(name: str, key: HostKey, path: Path, hashed: bool) -> None:
    """Adds a machine's key to a file, which is made if it is not there.

    Raises:
        OSError: The file cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = _hashed(name, secrets.token_bytes(hashlib.sha1().digest_size)) if hashed else name
    line = f"{written} {key.kind} {base64.b64encode(key.blob).decode()}\n".encode()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file.fileno()).st_size
        ended = size == 0 or os.pread(file.fileno(), 1, size - 1) == b"\n"
        file.write(line if ended else b"\n" + line)


def _entries(line: str) -> Iterator[tuple[str, HostKey, bool]]:
    fields = line.split()
    revoked = bool(fields) and fields[0] == "@revoked"
    fields = fields[1:] if revoked else fields
    if len(fields) < 3 or fields[0].startswith(("#", "@")):
        return
    try:
        blob = base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError):
        return
    yield fields[0], HostKey(fields[1], blob), revoked


def _matches(name: str, names: str) -> bool:
    if names.startswith(_HASHED):
        try:
            salt = base64.b64decode(names.split("|")[2])
        except (binascii.Error, ValueError, IndexError):
            return False
        return hmac.compare_digest(_hashed(name, salt).encode(), names.encode("utf-8", "surrogateescape"))
    found = False
    for pattern in names.lower().split(","):
        if re.fullmatch(_expression(pattern.removeprefix("!")), name):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _expression(pattern: str) -> str:
    """Returns a pattern as a regular expression; only * and ? are special in it."""
    return "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)


def _hashed(name: str, salt: bytes) -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"{_HASHED}{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"
