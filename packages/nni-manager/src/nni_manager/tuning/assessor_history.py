"""How an assessor gets to the state of one before: it sees everything again, its verdicts unheeded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken

from nni_manager.tuning import responses
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher, Judgment

JUDGING_SECONDS = 10.0
"""How long an assessor of the user's judges results of the past."""

_logger = logging.getLogger(__name__)


class AssessorHistory:
    """Tells a built-in assessor its history; lets any other judge it again, for some seconds at most.

    The experiment waits meanwhile. What is left then is not judged any more.

    Args:
        dispatcher: Makes the calls.
        clock: Returns a time in seconds.
    """

    def __init__(self, dispatcher: AssessorDispatcher, clock: Callable[[], float] = time.monotonic) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._deadline = clock() + JUDGING_SECONDS
        self._send = dispatcher.send
        self._count = self._left_out = 0
        dispatcher.send = lambda response: None

    def take(self, request: AlgorithmRequest) -> str:
        """Takes the next entry. Whatever the assessor raises passes through."""
        self._count += 1
        for call in self._dispatcher.note(request):
            if isinstance(call, Judgment) and self._dispatcher.is_built_in:
                continue
            if isinstance(call, Judgment) and self._clock() > self._deadline:
                self._left_out += 1
                continue
            self._dispatcher.make(call)
        return ""

    def end(self) -> list[AlgorithmResponse]:
        """Ends the history and returns what is answered."""
        self._dispatcher.note_running()
        # A verdict may have been lost with the manager: the next result brings it again.
        self._dispatcher.forget_verdicts()
        self._dispatcher.send = self._send
        _logger.info("The assessor took its history, %s entries.", self._count)
        if self._left_out:
            text = "%s results of the past were not judged again: the assessor took longer than %s s."
            _logger.warning(text, self._left_out, JUDGING_SECONDS)
        way = HistoryTaken.WAY_TOLD if self._dispatcher.is_built_in else HistoryTaken.WAY_REPLAYED
        return [responses.history_taken(way)]
