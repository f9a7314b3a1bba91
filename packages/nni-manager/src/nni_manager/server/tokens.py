"""Tokens: each is the keyed hash of what it is good for, so none has to be kept."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from nni_config.private_files import write_private_file

from nni_manager.rpc.access import Caller, Role

_SHORTEST_SECRET = 32


class Tokens:
    """Makes and recognises the tokens of one experiment.

    A token is its purpose, a dot and an HMAC-SHA256 (RFC 2104) of that purpose under the experiment's secret.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def manager(self) -> str:
        """Returns the token that is good for every call."""
        return self._token("manager")

    def view(self) -> str:
        """Returns the token that is good for reading."""
        return self._token("view")

    def trial(self, trial_id: str) -> str:
        """Returns the token of a trial, good for that trial only."""
        return self._token(f"trial/{trial_id}")

    def job(self, job: str) -> str:
        """Returns the token of a job, good for that job only."""
        return self._token(f"job/{job}")

    def caller(self, token: str) -> Caller | None:
        """Returns who a token belongs to, None for a token that is not ours."""
        purpose, _, _ = token.rpartition(".")
        expected = self._token(purpose)
        if not hmac.compare_digest(token.encode(errors="replace"), expected.encode(errors="replace")):
            return None
        kind, _, name = purpose.partition("/")
        if kind == Role.JOB.value:
            return Caller(Role.JOB, job=name)
        return Caller(Role(kind), name)

    def _token(self, purpose: str) -> str:
        digest = hmac.new(self._secret, purpose.encode(errors="replace"), hashlib.sha256).hexdigest()
        return f"{purpose}.{digest}"


def load_or_create_secret(path: Path) -> bytes:
    """Returns the secret in a file; the first time, makes the file, readable by its owner only.

    Raises:
        OSError: The file cannot be read or made, or others can read it.
    """
    if not path.exists():
        write_private_file(path, secrets.token_hex(32))
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{path} is open to other users; delete it to have a new one made")
    secret = path.read_bytes().strip()
    if len(secret) < _SHORTEST_SECRET:
        raise PermissionError(f"{path} is too short for a secret; delete it to have a new one made")
    return secret
