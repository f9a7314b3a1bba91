"""The files of another machine's trials, as long as it can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nni_manager.training.ssh.courier_channel import RemoteProcess
from nni_manager.training.ssh.file_channel import Answer, FileChannel, FileChannelLostError

_READY_SECONDS = 60.0


class RemoteFiles:
    """Asks over one channel, and opens another when that was lost."""

    def __init__(self, open_process: Callable[[], Awaitable[RemoteProcess]]) -> None:
        """Opens nothing yet.

        Args:
            open_process: Starts what answers; it waits for the machine if that cannot be reached.
        """
        self._open_process = open_process
        self._channel: FileChannel | None = None
        self._opening = asyncio.Lock()

    async def ask(self, do: str, **details: Any) -> Answer:
        """Sends a request and returns the answer.

        Raises:
            FileChannelLostError: The connection was lost on the way; ask again.
            FileRequestError: It cannot be done.
            TrainingServiceError: The machine cannot be asked.
        """
        channel = self._channel
        if channel is None or not channel.is_open:
            async with self._opening:
                channel = self._channel
                if channel is None or not channel.is_open:
                    channel = await self._opened(channel)
        return await channel.ask(do, **details)

    async def close(self) -> None:
        """Ends what answers."""
        if self._channel is not None:
            await self._channel.close()

    async def _opened(self, earlier: FileChannel | None) -> FileChannel:
        if earlier is not None:
            await earlier.close(0)
        self._channel = None
        channel = FileChannel(await self._open_process())
        try:
            await asyncio.wait_for(channel.ask("hello"), _READY_SECONDS)
        except asyncio.TimeoutError:
            await channel.close(0)
            raise FileChannelLostError(f"no sign of life within {_READY_SECONDS:.0f} seconds") from None
        except BaseException:
            await channel.close(0)
            raise
        self._channel = channel
        return channel
