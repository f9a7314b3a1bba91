"""Threads for what blocks, of one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_MOST = 64


class Threads:
    """Runs blocking functions beside the event loop."""

    def __init__(self, name: str) -> None:
        """Starts none yet.

        Args:
            name: Whose threads they are.
        """
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix=f"ssh {name}")
        self._closed = False

    def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Starts a function and returns what will hold its result."""
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Returns a function's result."""
        if self._closed:  # so is the connection: nothing blocks any more
            return function(*args, **kwargs)
        return await self.begin(function, *args, **kwargs)

    def abandon(self) -> None:
        """Takes no further functions; what runs ends by itself."""
        self._closed = True
        self._pool.shutdown(wait=False)

    async def close(self) -> None:
        """Takes no further functions and waits until the threads have ended."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
