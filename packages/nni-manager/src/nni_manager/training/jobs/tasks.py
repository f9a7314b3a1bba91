"""Tasks of which somebody hears when they break."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


def begin(work: Coroutine[Any, Any, None], name: str, broke: Callable[[str], None]) -> asyncio.Task[None]:
    """Starts a task.

    Args:
        work: What it does.
        name: What it is called in messages.
        broke: Gets a sentence if it ends with an exception, which is logged.
    """
    task = asyncio.create_task(work, name=name)

    def done(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s broke", name, exc_info=error)
            broke(f"{name} broke: {error!r}")

    task.add_done_callback(done)
    return task
