"""How an assessor gets to the state of one before: it judges everything again, and nobody heeds it."""

from __future__ import annotations

import logging

from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken

from nni_manager.tuning import responses
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher

_logger = logging.getLogger(__name__)


class AssessorHistory:
    """Replays a history without its verdicts."""

    def __init__(self, dispatcher: AssessorDispatcher) -> None:
        self._dispatcher = dispatcher
        self._send = dispatcher.send
        self._count = 0
        dispatcher.send = lambda response: None

    def take(self, request: AlgorithmRequest) -> str:
        """Takes the next entry. Whatever the assessor raises passes through."""
        self._count += 1
        self._dispatcher.handle(request)
        return ""

    def end(self) -> list[AlgorithmResponse]:
        """Ends the history and returns what is answered."""
        # A verdict may have been lost with the manager: the next result brings it again.
        self._dispatcher.forget_verdicts()
        self._dispatcher.send = self._send
        _logger.info("The history was replayed, %s entries.", self._count)
        return [responses.history_taken(HistoryTaken.WAY_REPLAYED)]
