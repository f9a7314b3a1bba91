"""How a custom tuner goes on when a replay differs: a fresh one imports the results."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken

from nni_manager.tuning import responses
from nni_manager.tuning.tuner_dispatcher import TunerDispatcher, imported_records, record_of

if TYPE_CHECKING:
    from nni_manager.tuning.advisor_dispatcher import AdvisorDispatcher

_logger = logging.getLogger(__name__)


class ImportedHistory:
    """Collects the trials and results and hands them over at the end.

    Trials that go on are known to the dispatcher alone: it imports the result of one later, and does not tell
    its end.
    """

    def __init__(self, dispatcher: TunerDispatcher | AdvisorDispatcher) -> None:
        self._dispatcher = dispatcher
        self._results: list[dict[str, Any]] = []
        self._proposals: list[dict[str, Any]] = []

    def take(self, request: AlgorithmRequest) -> str:
        """Takes the next entry."""
        kind = request.WhichOneof("request")
        if kind == "recorded_proposal":
            proposal = request.recorded_proposal
            parameters = values.from_message(proposal.parameters)
            self._proposals.append({"parameter_id": proposal.parameter_id, "parameters": parameters})
            self._dispatcher.imported.add(proposal.parameter_id)
        elif kind == "final_result":
            self._results.append(record_of(request.final_result))
        elif kind == "trial_end":
            if request.trial_end.HasField("parameter_id"):
                self._dispatcher.imported.discard(request.trial_end.parameter_id)
        elif kind == "imported_trials":
            self._results += imported_records(request.imported_trials)
        elif kind == "search_space":
            self._dispatcher.handle(request)
        return ""

    def end(self) -> list[AlgorithmResponse]:
        """Ends the history and returns what is answered. Whatever the tuner raises passes through."""
        self._dispatcher.go_on_from(self._proposals, self._results)
        _logger.info("A fresh tuner imported %s results.", len(self._results))
        return [responses.history_taken(HistoryTaken.WAY_IMPORTED)]
