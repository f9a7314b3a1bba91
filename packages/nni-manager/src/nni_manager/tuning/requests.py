"""Makes the messages that an algorithm is told, of what the engine wants told."""

from __future__ import annotations

import logging
import math
import sys
from functools import singledispatch
from pathlib import Path
from typing import Any

from nni_proto import values
from nni_proto.v1 import algorithm_pb2, value_pb2
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, InitializeAlgorithm
from nni_proto.v1.trial_pb2 import Trial

from nni_manager.engine import effects, events
from nni_manager.tuning.interface import AlgorithmSettings

_logger = logging.getLogger(__name__)

_INT64 = range(-(2**63), 2**63)
_KINDS = {
    "tuner": InitializeAlgorithm.ALGORITHM_KIND_TUNER,
    "assessor": InitializeAlgorithm.ALGORITHM_KIND_ASSESSOR,
}


def initialize_request(
    settings: AlgorithmSettings, history_use: InitializeAlgorithm.HistoryUse.ValueType
) -> AlgorithmRequest:
    """Returns the first message.

    Args:
        settings: The algorithm.
        history_use: Whether a history follows, and what it is for.

    Raises:
        TypeError: The search space or the arguments hold something that JSON cannot.
        ValueError: They are nested too deep, or hold an integer beyond 64 bits or text that is not valid.
    """
    directory = settings.code_directory
    message = InitializeAlgorithm(
        kind=_KINDS[settings.kind],
        name=settings.name,
        class_name=settings.class_name,
        code_directory=None if directory is None else str(Path(directory).expanduser().resolve()),
        class_args=values.object_to_message(settings.class_args or {}),
        search_space=values.to_message(settings.search_space),
        optimize_mode=settings.optimize_mode,
        history_use=history_use,
        instance_file=None if settings.instance_file is None else str(settings.instance_file.absolute()),
    )
    return AlgorithmRequest(initialize=message)


def history_ends_request() -> AlgorithmRequest:
    """Returns the message that ends a history."""
    return AlgorithmRequest(history_ends=algorithm_pb2.HistoryEnds())


def terminate_request() -> AlgorithmRequest:
    """Returns the last message."""
    return AlgorithmRequest(terminate=algorithm_pb2.TerminateAlgorithm())


@singledispatch
def request_of(call: Any) -> AlgorithmRequest:
    """Returns the message of a call, or of an answer in a history.

    What a trial reported and the protocol cannot carry is changed as little as possible: an integer beyond
    64 bits becomes a float, text that is not valid Unicode gets question marks, and what is nested too deep
    becomes None.

    Raises:
        TypeError: It is neither.
        ValueError: It holds a search space that is nested too deep, or similar; the text names where.
    """
    raise TypeError(f"an algorithm cannot be told {call!r}")


@request_of.register
def _(call: effects.RequestParameters) -> AlgorithmRequest:
    return AlgorithmRequest(
        request_parameters=algorithm_pb2.RequestParameters(parameter_ids=call.parameter_ids)
    )


@request_of.register
def _(call: effects.TellFinalResult) -> AlgorithmRequest:
    message = algorithm_pb2.TellFinalResult(
        parameter_id=call.parameter_id,
        trial_id=call.trial_id,
        parameters=_carried(call.parameters),
        value=_carried(call.value),
        customized=call.customized,
    )
    return AlgorithmRequest(final_result=message)


@request_of.register
def _(call: effects.TellIntermediateResult) -> AlgorithmRequest:
    message = algorithm_pb2.TellIntermediateResult(
        trial_id=call.trial_id,
        index=call.index,
        value=_carried(call.value),
        parameter_id=call.parameter_id,
    )
    return AlgorithmRequest(intermediate_result=message)


@request_of.register
def _(call: effects.TellTrialEnd) -> AlgorithmRequest:
    message = algorithm_pb2.TellTrialEnd(
        parameter_id=call.parameter_id,
        trial_id=call.trial_id,
        status=Trial.Status.Value(f"STATUS_{call.status.value}"),
    )
    return AlgorithmRequest(trial_end=message)


@request_of.register
def _(call: effects.TellSearchSpace) -> AlgorithmRequest:
    message = algorithm_pb2.TellSearchSpace(search_space=values.to_message(call.search_space))
    return AlgorithmRequest(search_space=message)


@request_of.register
def _(call: effects.TellImportedTrials) -> AlgorithmRequest:
    message = algorithm_pb2.TellImportedTrials()
    for trial in call.trials:
        message.trials.add(parameters=_carried(trial["parameter"]), value=_carried(trial["value"]))
    return AlgorithmRequest(imported_trials=message)


@request_of.register
def _(answer: events.ParametersProposed) -> AlgorithmRequest:
    message = algorithm_pb2.RecordedProposal(
        parameter_id=answer.parameter_id, parameters=_carried(answer.parameters)
    )
    return AlgorithmRequest(recorded_proposal=message)


@request_of.register
def _(answer: events.ParametersRefused) -> AlgorithmRequest:
    message = algorithm_pb2.RecordedRefusal(parameter_ids=answer.parameter_ids)
    return AlgorithmRequest(recorded_refusal=message)


def _carried(value: Any) -> value_pb2.Value:
    try:
        return values.to_message(value)
    except ValueError as error:
        _logger.warning("A trial's value is changed to be told to the algorithm: %s", error)
        return values.to_message(_reduced(value, values.MAX_DEPTH))


def _reduced(value: Any, levels: int) -> Any:
    if isinstance(value, (dict, list, tuple)) and levels == 0:
        return None
    if isinstance(value, dict):
        return {_reduced(key, 0): _reduced(element, levels - 1) for key, element in value.items()}
    if isinstance(value, (list, tuple)):
        return [_reduced(element, levels - 1) for element in value]
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int) and value not in _INT64:
        infinity = math.inf if value > 0 else -math.inf
        return float(value) if abs(value) <= sys.float_info.max else infinity
    return value
