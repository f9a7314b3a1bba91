"""The token that signs in to OpenPAI, and how it is renewed without a restart."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime, timezone
from pathlib import Path

from nni_manager.training.interface import TrainingServiceError


class Token:
    """An account's token: a text, or what a file holds now.

    Attributes:
        value: The token.
    """

    def __init__(self, text: str | None, file: Path | None) -> None:
        """Reads the file, if there is one.

        Raises:
            TrainingServiceError: The file cannot be read, or is empty.
        """
        self._file = file
        self.value = text or ""
        if file is not None:
            try:
                self.value = _content(file)
            except OSError as error:
                raise TrainingServiceError(f"token_file: {file} cannot be read: {error.strerror}") from error
            if not self.value:
                raise TrainingServiceError(f"token_file: {file} is empty; allowed is a file with a token")

    def __repr__(self) -> str:
        return f"Token(file={self._file})"

    def reread(self) -> bool:
        """Reads the file again, if there is one; returns whether it has another token now. It may block."""
        if self._file is None:
            return False
        try:
            found = _content(self._file)
        except OSError:
            return False
        if not found or found == self.value:
            return False
        self.value = found
        return True

    @property
    def repair(self) -> str:
        """What a person can do once it is no longer taken."""
        where = "make a new token on the profile page of OpenPAI's portal"
        if self._file is not None:
            return f"{where} and write it to {self._file}; nothing has to be started again"
        return f"{where} and resume the experiment with it, or name a token_file, which is read again"

    def expiry(self) -> datetime | None:
        """Returns when it ends, None where it does not say so."""
        parts = self.value.split(".")
        if len(parts) != 3:
            return None
        try:
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return datetime.fromtimestamp(claims["exp"], timezone.utc)
        except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
            return None


def _content(file: Path) -> str:
    return file.read_text("utf-8", "replace").strip()
