"""How a custom tuner gets to the state of one before: it does everything again, in the recorded order."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken
from nni_proto.v1.value_pb2 import Value

from nni_manager.tuning import responses

if TYPE_CHECKING:
    from nni_manager.tuning.advisor_dispatcher import AdvisorDispatcher
    from nni_manager.tuning.tuner_dispatcher import TunerDispatcher

_SECONDS_FOR_CALLBACKS = 10.0
_LONGEST_TEXT = 200

_logger = logging.getLogger(__name__)


class ReplayedHistory:
    """Calls a tuner again as the one before was called, and compares its proposals, by their ids.

    What it proposes and nobody recorded (the manager ended before it could) is handed in after the replay,
    and so are its verdicts on trials that have not ended.
    """

    def __init__(self, dispatcher: TunerDispatcher | AdvisorDispatcher) -> None:
        self._dispatcher = dispatcher
        self._send = dispatcher.send
        self._changed = threading.Condition()
        self._recorded: dict[int, Value] = {}
        self._proposed: dict[int, AlgorithmResponse] = {}
        self._verdicts: dict[str, AlgorithmResponse] = {}
        self._difference = ""
        self._count = 0
        self._is_over = False
        dispatcher.send = self._take_answer

    def take(self, request: AlgorithmRequest) -> str:
        """Takes the next entry and returns where the replay differs, "" while it does not."""
        kind = request.WhichOneof("request")
        self._count += 1
        if kind == "recorded_proposal":
            with self._changed:
                self._compare(request.recorded_proposal.parameter_id, request.recorded_proposal.parameters)
        elif kind != "recorded_refusal":
            try:
                self._dispatcher.handle(request)
            except Exception as error:
                _logger.exception("The tuner failed in the replay.")
                return f"{(kind or 'call').replace('_', ' ')}: {type(error).__name__}: {error}"
        with self._changed:
            if kind == "trial_end":
                self._verdicts.pop(request.trial_end.trial_id, None)
            return self._difference

    def end(self) -> list[AlgorithmResponse]:
        """Ends the history and returns what is answered."""
        with self._changed:
            # Threads of the tuner may still be about to hand in proposals.
            patience = _SECONDS_FOR_CALLBACKS if threading.active_count() > 1 else 0.0
            self._changed.wait_for(lambda: self._difference or not self._recorded, patience)
            if self._recorded and not self._difference:
                self._difference = f"parameters of id {min(self._recorded)}: none came"
            if self._difference:
                return [responses.history_taken(HistoryTaken.WAY_DIFFERED, self._difference)]
            unrecorded = self._dispatcher.end_history(self._proposed)
            self._dispatcher.send = self._send
            self._is_over = True
            _logger.info("The history was replayed, %s entries.", self._count)
            taken = responses.history_taken(HistoryTaken.WAY_REPLAYED)
            return [taken, *unrecorded, *self._verdicts.values()]

    def _take_answer(self, response: AlgorithmResponse) -> None:
        """Gets what the tuner answers, from any thread."""
        kind = response.WhichOneof("response")
        with self._changed:
            is_over = self._is_over
        if is_over or kind in ("refused", "failed"):
            self._send(response)
        elif kind == "propose":
            with self._changed:
                parameter_id = response.propose.parameter_id
                self._proposed[parameter_id] = response
                if parameter_id in self._recorded:
                    self._compare(parameter_id, self._recorded.pop(parameter_id))
                self._changed.notify_all()
        elif kind == "stop_trial":
            with self._changed:
                self._verdicts[response.stop_trial.trial_id] = response

    def _compare(self, parameter_id: int, recorded: Value) -> None:
        response = self._proposed.pop(parameter_id, None)
        if response is None:
            self._recorded[parameter_id] = recorded
            return
        proposed = response.propose.parameters
        if proposed.SerializeToString(deterministic=True) != recorded.SerializeToString(deterministic=True):
            was, came = _text(values.from_message(recorded)), _text(values.from_message(proposed))
            self._difference = (
                self._difference or f"parameters of id {parameter_id}: {was} before, {came} now"
            )


def _text(parameters: Any) -> str:
    text = json.dumps(parameters, ensure_ascii=False)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
