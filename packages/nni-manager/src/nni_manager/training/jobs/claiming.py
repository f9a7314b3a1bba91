"""Jobs of an earlier manager: the engine asks for those that it knows, others are stopped after a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from nni_manager.training.jobs.board import JobBoard
from nni_manager.training.jobs.pace import Pace

logger = logging.getLogger(__name__)


class Claims:
    """Knows since when the engine asks."""

    def __init__(self, board: JobBoard, pace: Pace) -> None:
        """Waits for the first question.

        Args:
            board: The jobs.
            pace: How long they may be asked for.
        """
        self.on_first: Callable[[], None] = lambda: None
        """Is called at the first question."""
        self._board = board
        self._pace = pace
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    @property
    def have_begun(self) -> bool:
        """Whether the engine has asked for anything. Before that any job may have a trial."""
        return self._timer is not None

    def take(self) -> None:
        """Takes note that the engine asks."""
        if self._timer is None and not self._is_over:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pace.claim_seconds, self.stop_unclaimed)
            self.on_first()

    def stop_unclaimed(self) -> None:
        """Has the jobs stopped that nobody has asked for."""
        for name, report in self._board.listed.items():
            if name not in self._board.jobs and not report.state.is_over:
                logger.info("job %s is left from before and is stopped", name)
                self._board.stop_name(name)

    def close(self) -> None:
        """Waits no more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
