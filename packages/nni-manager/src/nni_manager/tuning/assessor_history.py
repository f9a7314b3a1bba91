"""What an assessor that is made anew is told of what happened before."""

from __future__ import annotations

import logging

from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken

from nni_manager.tuning import responses
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher, End, Judgment

_logger = logging.getLogger(__name__)


class AssessorHistory:
    """Takes note of a history.

    A built-in assessor is told the results of a trial at its end, or when it is judged next. Any other judges
    everything again.
    """

    def __init__(self, dispatcher: AssessorDispatcher) -> None:
        self._dispatcher = dispatcher
        self._count = 0

    def note(self, request: AlgorithmRequest) -> list[Judgment | End]:
        """Takes note of the next entry and returns the calls that it leads to, not to be heeded."""
        self._count += 1
        calls = self._dispatcher.note(request)
        if self._dispatcher.is_built_in:
            return [call for call in calls if isinstance(call, End)]
        return calls

    def end(self) -> AlgorithmResponse:
        """Returns what is answered at the end."""
        _logger.info("The history came, %s entries.", self._count)
        is_built_in = self._dispatcher.is_built_in
        return responses.history_taken(HistoryTaken.WAY_TOLD if is_built_in else HistoryTaken.WAY_REPLAYED)
