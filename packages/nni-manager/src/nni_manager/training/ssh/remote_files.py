"""The files of another machine's trials, as long as it can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nni_manager.training.ssh.courier_channel import RemoteProcess
from nni_manager.training.ssh.file_channel import Answer, FileChannel, FileChannelLostError, FileRequestError

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

    async def ask_many(self, requests: Sequence[Mapping[str, Any]]) -> list[Answer | FileRequestError]:
        """Sends several requests as one, each with its "do", and returns the answers in the same order.

        Raises:
            FileChannelLostError: The connection was lost on the way; ask again.
            FileRequestError: What the machine says makes no sense.
            TrainingServiceError: The machine cannot be asked.
        """
        answer, data = await self.ask("many", requests=requests)
        found: list[Answer | FileRequestError] = []
        position = 0
        try:
            for each in answer["answers"]:
                size = int(each["size"])
                if not 0 <= size <= len(data) - position:
                    raise ValueError(f"an answer of {size} bytes")
                piece = data[position : position + size]
                position += size
                found.append(FileRequestError(str(each["error"])) if "error" in each else (each, piece))
            if len(found) != len(requests):
                raise ValueError(f"{len(found)} answers to {len(requests)} requests")
        except (KeyError, TypeError, ValueError) as error:
            raise FileRequestError("several answers make no sense") from error
        return found

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
