"""Makes the messages that an algorithm's process answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import (
    AlgorithmFailed,
    AlgorithmRefused,
    AlgorithmResponse,
    HistoryTaken,
    ProposeParameters,
    RefuseParameters,
    RequestProcessed,
    StopTrialVerdict,
)

from nni_manager.tuning.plain_values import plain


def propose(parameter_id: int, parameters: Any) -> AlgorithmResponse:
    """Returns a proposal.

    Raises:
        TypeError: The parameters are not JSON-like; the text names where.
        ValueError: They hold an integer beyond 64 bits, are nested too deep, or are not valid Unicode.
    """
    message = values.to_message(plain(parameters))
    return AlgorithmResponse(propose=ProposeParameters(parameter_id=parameter_id, parameters=message))


def refuse(parameter_ids: Sequence[int], message: str) -> AlgorithmResponse:
    """Returns the answer that there are no parameters for now."""
    return AlgorithmResponse(refuse=RefuseParameters(parameter_ids=parameter_ids, message=message))


def stop_trial(trial_id: str, message: str) -> AlgorithmResponse:
    """Returns the verdict that a trial is to be stopped."""
    return AlgorithmResponse(stop_trial=StopTrialVerdict(trial_id=trial_id, message=message))


def processed(number: int, *, hears_intermediate_results: bool = False) -> AlgorithmResponse:
    """Returns the note that a request has been dealt with.

    Args:
        number: The request's number.
        hears_intermediate_results: For the first one of a tuner: whether it is to be told these.
    """
    message = RequestProcessed(number=number, hears_intermediate_results=hears_intermediate_results)
    return AlgorithmResponse(processed=message)


def failed(message: str, traceback: str = "") -> AlgorithmResponse:
    """Returns the note that the algorithm failed."""
    return AlgorithmResponse(failed=AlgorithmFailed(message=message, traceback=traceback))


def refused(number: int, message: str) -> AlgorithmResponse:
    """Returns the note that the algorithm cannot do what was asked."""
    return AlgorithmResponse(refused=AlgorithmRefused(number=number, message=message))


def history_taken(way: HistoryTaken.Way.ValueType, message: str = "") -> AlgorithmResponse:
    """Returns the note of how a history was taken."""
    return AlgorithmResponse(history_taken=HistoryTaken(way=way, message=message))
