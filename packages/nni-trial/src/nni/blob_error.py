"""What goes wrong with Azure Blob storage. It is apart from what asks that, which takes long to load."""

from __future__ import annotations

import re

_SIGNATURE = re.compile(r"(\bsig=)[^&\s\"']+")


class BlobError(Exception):
    """The storage did not do what was asked; the text says why, without the signature.

    Attributes:
        status: The HTTP status, 0 when there was no answer.
        code: The storage's name for the error, "" when it gave none.
    """

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        """Says what went wrong."""
        super().__init__(_SIGNATURE.sub(r"\1******", message))
        self.status = status
        self.code = code
