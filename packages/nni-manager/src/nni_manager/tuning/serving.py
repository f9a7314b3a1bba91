"""The life of an algorithm in its process."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import InitializeAlgorithm

from nni_manager.tuning import responses
from nni_manager.tuning.channel import Channel
from nni_manager.tuning.making import CannotMakeError, make_algorithm

_logger = logging.getLogger(__name__)


def serve(channel: Channel) -> int:
    """Makes the algorithm that is asked for and serves it until the end; returns the exit code."""
    request = channel.receive()
    if request is None:
        return 0
    algorithm: Any = None
    try:
        algorithm = make_algorithm(request.initialize)
        dispatcher = _dispatcher(request.initialize, algorithm, channel)
        channel.send(responses.processed(request.number))
        while (request := channel.receive()) is not None and not request.HasField("terminate"):
            dispatcher.handle(request)
            channel.send(responses.processed(request.number))
    except CannotMakeError as error:
        _logger.error("%s", error)
        channel.send(responses.failed(str(error)))
        return 1
    except Exception as error:
        _logger.exception("The algorithm failed.")
        place = type(algorithm).__name__ if algorithm is not None else "the constructor"
        message = f"{place} raised {type(error).__name__}: {error}"
        channel.send(responses.failed(message, traceback.format_exc()))
        _call_hook(algorithm, "_on_error")
        return 1
    _call_hook(algorithm, "_on_exit")
    return 0


def _dispatcher(request: InitializeAlgorithm, algorithm: Any, channel: Channel) -> Any:
    # An assessor never pays for importing what a tuner needs, and the reverse.
    if request.kind == InitializeAlgorithm.ALGORITHM_KIND_ASSESSOR:
        from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher

        return AssessorDispatcher(algorithm, channel.send)
    from nni_manager.tuning.tuner_dispatcher import TunerDispatcher

    algorithm.update_search_space(values.from_message(request.search_space))
    return TunerDispatcher(algorithm, channel.send)


def _call_hook(algorithm: Any, name: str) -> None:
    hook = getattr(algorithm, name, None)
    if hook is None:
        return
    try:
        hook()
    except Exception:
        _logger.exception("%s failed.", name)
