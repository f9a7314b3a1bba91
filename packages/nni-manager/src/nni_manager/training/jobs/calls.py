"""Calls of a platform that is away now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.platform import PlatformAwayError
from nni_manager.waiting import result_within

logger = logging.getLogger(__name__)

T = TypeVar("T")
Call = Callable[[], Awaitable[T]]

FAILURES = 2
"""After so many calls in a row without an answer a platform counts as away: a single one says little."""


class PlatformCalls:
    """Makes calls, and knows whether the platform answers."""

    def __init__(self, name: str, pace: Pace, changed: Callable[[bool, str], None]) -> None:
        """Makes it, for a platform that answers.

        Args:
            name: What the platform is called.
            pace: After how long it is asked again.
            changed: Called with False and a reason when the platform is away, with True when it is back.
        """
        self.away = ""
        """Why the platform is away, "" while it answers."""
        self._name = name
        self._pace = pace
        self._changed = changed
        self._failures = 0

    async def once(self, call: Call[T]) -> T:
        """Makes a call.

        Raises:
            PlatformAwayError: There was no answer.
            TrainingServiceError: The answer is no.
        """
        try:
            result = await result_within(call(), self._pace.call_seconds)
        except TrainingServiceError:
            self._answered()
            raise
        except PlatformAwayError as error:
            self._unanswered(error)
            raise
        except asyncio.TimeoutError:
            late = PlatformAwayError(f"no answer within {self._pace.call_seconds:.0f} s")
            self._unanswered(late)
            raise late from None
        except Exception as cause:
            logger.exception("%s: a call broke", self._name)
            broken = PlatformAwayError(f"a call broke: {cause!r}")
            self._unanswered(broken)
            raise broken from cause
        self._answered()
        return result

    async def until_answered(
        self, call: Call[T], away: Callable[[str], None] | None = None, tries: int | None = None
    ) -> T:
        """Makes a call again until there is an answer.

        Args:
            call: The call.
            away: Gets the reason each time there is none.
            tries: How often it is made at most, None for any number.

        Raises:
            PlatformAwayError: There was no answer so often.
            TrainingServiceError: The answer is no.
        """
        pause, count = self._pace.retry_seconds, 0
        while True:
            try:
                return await self.once(call)
            except PlatformAwayError as error:
                count += 1
                if tries is not None and count >= tries:
                    raise
                if away is not None:
                    away(told(error))
                await asyncio.sleep(self.pause(error, pause))
                pause *= 2

    def pause(self, error: PlatformAwayError, otherwise: float) -> float:
        """Returns after how long to ask again: what the platform wants, or this."""
        return min(max(otherwise, error.retry_after or 0.0), self._pace.most_retry_seconds)

    def _answered(self) -> None:
        self._failures = 0
        if self.away:
            self.away = ""
            self._changed(True, "")

    def _unanswered(self, error: PlatformAwayError) -> None:
        self._failures += 1
        if not self.away and (self._failures >= FAILURES or error.can_be_repaired):
            self.away = told(error)
            self._changed(False, self.away)


def told(error: PlatformAwayError) -> str:
    """Returns why a platform does not answer, and what can be done about it."""
    return f"{error}; {error.can_be_repaired}" if error.can_be_repaired else str(error)
