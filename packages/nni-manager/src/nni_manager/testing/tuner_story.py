"""A tuner that is told by the calls of the manager what happens to its trials."""

from __future__ import annotations

from typing import Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

from nni_manager.algorithms.tuner import Tuner
from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellTrialEnd,
)
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.requests import request_of
from nni_manager.tuning.tuner_dispatcher import TunerDispatcher


class TunerStory:
    """Tells a tuner what happens and takes note of what it proposes.

    Args:
        tuner: It has its search space.

    Attributes:
        running: The parameters of the trials that run, by their ids.
        proposals: What came in answer to each request, in order; None where there was nothing, and also what
            was handed in later.
    """

    def __init__(self, tuner: Tuner) -> None:
        self.running: dict[int, Any] = {}
        self.proposals: list[Any] = []
        self._sent: list[AlgorithmResponse] = []
        self._dispatcher = TunerDispatcher(tuner, self._sent.append)
        self._number = 0

    def ask(self, parameter_id: int) -> Any:
        """Returns the parameters that are proposed for an id, None if there are none for now."""
        self._tell(RequestParameters(self._next_number(), (parameter_id,)))
        return self.running.get(parameter_id)

    def report(self, parameter_id: int | None, parameters: Any, value: Any) -> None:
        """Tells a final result; without an id it is one of parameters that a user chose."""
        customized = parameter_id is None
        self._tell(
            TellFinalResult(
                self._next_number(), _trial(parameter_id), parameter_id, parameters, value, customized
            )
        )

    def report_intermediate(self, parameter_id: int, value: Any) -> None:
        """Tells an intermediate result, the first one."""
        call = TellIntermediateResult(_trial(parameter_id), parameter_id, 0, value, self._next_number())
        if self._dispatcher.hears_intermediate_results:
            self._tell(call)

    def end(self, parameter_id: int | None, status: TrialStatus = TrialStatus.SUCCEEDED) -> None:
        """Tells that a trial ended."""
        if parameter_id is not None:
            self.running.pop(parameter_id, None)
        self._tell(TellTrialEnd(self._next_number(), _trial(parameter_id), parameter_id, status))

    def finish(self, parameter_id: int, value: Any) -> None:
        """Tells a trial's result and that it succeeded."""
        self.report(parameter_id, self.running[parameter_id], value)
        self.end(parameter_id)

    def take_over(self, records: list[dict[str, Any]]) -> None:
        """Tells results of another experiment."""
        self._tell(TellImportedTrials(self._next_number(), tuple(records)))

    def _tell(self, call: Any) -> None:
        self._dispatcher.handle(request_of(call))
        for response in self._sent:
            if response.HasField("propose"):
                parameters = values.from_message(response.propose.parameters)
                self.running[response.propose.parameter_id] = parameters
                self.proposals.append(parameters)
            else:
                self.proposals.append(None)
        self._sent.clear()

    def _next_number(self) -> int:
        self._number += 1
        return self._number


def _trial(parameter_id: int | None) -> str:
    return f"trial {parameter_id}"
