"""How a built-in tuner gets to the state of one before: it takes note of what that one proposed and heard."""

from __future__ import annotations

import logging
from typing import Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken

from nni_manager.tuning import responses
from nni_manager.tuning.tuner_dispatcher import TunerDispatcher

_logger = logging.getLogger(__name__)


class ToldHistory:
    """Tells a tuner that has `restore_proposal` its history. It is never asked again.

    What it hands in meanwhile under ids that it owes is mostly recorded. What is not (the manager ended
    before it could be) is handed in after the history.
    """

    def __init__(self, tuner: Any, dispatcher: TunerDispatcher) -> None:
        self._tuner = tuner
        self._dispatcher = dispatcher
        self._send = dispatcher.send
        self._unrecorded: dict[int, AlgorithmResponse] = {}
        self._count = 0
        dispatcher.send = self._take_answer

    def take(self, request: AlgorithmRequest) -> str:
        """Takes the next entry. Whatever the tuner raises passes through."""
        kind = request.WhichOneof("request")
        self._count += 1
        if kind == "recorded_proposal":
            proposal = request.recorded_proposal
            self._unrecorded.pop(proposal.parameter_id, None)
            self._tuner.restore_proposal(proposal.parameter_id, values.from_message(proposal.parameters))
        elif kind == "recorded_refusal":
            self._dispatcher.restore_refusal(request.recorded_refusal.parameter_ids)
        elif kind != "request_parameters":
            self._dispatcher.handle(request)
        return ""

    def end(self) -> list[AlgorithmResponse]:
        """Ends the history and returns what is answered."""
        self._dispatcher.send = self._send
        _logger.info("The tuner was told its history, %s entries.", self._count)
        return [responses.history_taken(HistoryTaken.WAY_TOLD), *self._unrecorded.values()]

    def _take_answer(self, response: AlgorithmResponse) -> None:
        if response.HasField("propose"):
            self._unrecorded[response.propose.parameter_id] = response
        else:
            self._send(response)
