"""Asks for files on another machine, over one command that runs there as long as the connection lasts."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from typing import Any

from nni_manager.training.courier_connection import cancelled
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.courier_channel import RemoteProcess

logger = logging.getLogger(__name__)

END_SECONDS = 5.0

MAX_ANSWER_BYTES = 64 << 20
"""No answer is longer; one that says so makes no sense."""

Answer = tuple[dict[str, Any], bytes]


class FileChannelLostError(TrainingServiceError):
    """There is no answer, since the connection or the command has ended; another one may answer."""


class FileRequestError(TrainingServiceError):
    """The machine cannot do what was asked."""


class FileChannel:
    """Sends requests and hands out the answers, which come in the same order (nni/courier/files.py)."""

    def __init__(self, process: RemoteProcess) -> None:
        """Begins to listen.

        Args:
            process: The command.
        """
        self._process = process
        self._waiting: deque[asyncio.Future[Answer]] = deque()
        self._ended = False
        self._buffer = bytearray()
        self._task = asyncio.create_task(self._listen(), name="files of another machine")

    @property
    def is_open(self) -> bool:
        """Whether it can still answer."""
        return not self._ended

    async def ask(self, do: str, **details: Any) -> Answer:
        """Sends a request and returns the answer.

        Args:
            do: What is wanted.
            details: The rest of the request.

        Raises:
            FileChannelLostError: No answer comes any more.
            FileRequestError: It cannot be done.
        """
        if self._ended:
            raise FileChannelLostError("the connection was lost")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._process.write(json.dumps({"do": do, **details}).encode("ascii") + b"\n")
        answer, data = await future
        if "error" in answer:
            raise FileRequestError(str(answer["error"]))
        return answer, data

    async def close(self, patience: float = END_SECONDS) -> None:
        """Ends it."""
        self._process.close_input()
        how = await self._process.stop(patience)
        logger.debug("what gives us files ended: %s", how)
        await cancelled(self._task)

    async def _listen(self) -> None:
        reason = "the connection was lost"
        try:
            while True:
                line = await self._take_line()
                answer = json.loads(line)
                size = int(answer["size"])
                if not 0 <= size <= MAX_ANSWER_BYTES:
                    raise ValueError(f"an answer of {size} bytes")
                data = await self._take(size)
                future = self._waiting.popleft()
                if not future.done():
                    future.set_result((answer, data))
        except EOFError:
            reason = "it ended"
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            reason = f"what it says makes no sense: {error!r}"
            logger.error("what gives us files on another machine: %s", reason)
        finally:
            self._ended = True
            for future in self._waiting:
                if not future.done():
                    future.set_exception(FileChannelLostError(reason))
                    future.exception()  # who asked may have gone meanwhile

    async def _take_line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_ANSWER_BYTES:
                raise ValueError("a line without an end")
            await self._read()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._read()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _read(self) -> None:
        data = await self._process.read()
        if not data:
            raise EOFError
        self._buffer += data
