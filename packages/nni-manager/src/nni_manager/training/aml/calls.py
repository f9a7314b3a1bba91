"""Runs what blocks, as Azure's libraries do, in a few threads of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_AT_ONCE = 4


class Calls:
    """Threads for calls that block. Nothing runs in them after `close`."""

    def __init__(self) -> None:
        """Makes them; they start when they are needed."""
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="azure-ml")

    async def run(self, call: Callable[_P, _T], /, *arguments: _P.args, **keywords: _P.kwargs) -> _T:
        """Returns what a call returns, or raises what it raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(call, *arguments, **keywords))

    async def close(self) -> None:
        """Waits for what is under way; what has not begun is left out."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
