"""Says when this process got no processor time for a while: all that waits for it was late then."""

from __future__ import annotations

import asyncio
import logging
import time

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
LATE_SECONDS = 2.0
"""A beat that comes so much later than it should is told."""


async def tell_when_held_up() -> None:
    """Beats until it is canceled, and logs the beats that were missed."""
    while True:
        due = time.monotonic() + BEAT_SECONDS
        await asyncio.sleep(BEAT_SECONDS)
        late = time.monotonic() - due
        if late >= LATE_SECONDS:
            logger.warning(
                "the manager was held up for %.0f s: it was stopped, or others had all the processor "
                "time; trials went on, and what they did meanwhile is dealt with now",
                late,
            )
