"""A record that cannot be written at the moment, and what callers hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from nni_manager.experiments.errors import StorageFailedError

_Result = TypeVar("_Result")
_TRIES_BEFORE_CALLERS_HEAR = 5


class StorageTrouble:
    """Whether the record can be written. While it cannot, the experiment waits and loses nothing.

    Attributes:
        message: What is wrong, "" when nothing is.
    """

    def __init__(self) -> None:
        """Begins without trouble."""
        self.message = ""
        self._tries = 0
        self._lasts = asyncio.Event()

    def failed(self, why: str) -> None:
        """Notes that the record could not be written once more."""
        self._tries += 1
        self.message = f"the record cannot be written, the experiment waits: {why}"
        if self._tries >= _TRIES_BEFORE_CALLERS_HEAR:
            self._lasts.set()

    def over(self) -> None:
        """Notes that the record was written."""
        self._tries = 0
        self.message = ""
        self._lasts.clear()

    async def wait_for(self, stored: Awaitable[_Result]) -> _Result:
        """Waits for something that has to be stored, but not for ever when the record cannot be written.

        Raises:
            StorageFailedError: It was not stored yet, and will be once the record can be written again.
        """
        wanted = asyncio.ensure_future(stored)
        trouble = asyncio.create_task(self._lasts.wait())
        try:
            await asyncio.wait((wanted, trouble), return_when=asyncio.FIRST_COMPLETED)
            if wanted.done():
                return wanted.result()
            raise StorageFailedError(
                f"{self.message}; what was asked for is done once it can be written again"
            )
        finally:
            trouble.cancel()
            wanted.cancel()
