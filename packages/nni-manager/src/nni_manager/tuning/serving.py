"""The life of an algorithm in its process."""

from __future__ import annotations

import logging
import traceback
from typing import Any, Protocol

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken, InitializeAlgorithm

from nni_manager.tuning import responses
from nni_manager.tuning.channel import Channel
from nni_manager.tuning.errors import CannotMakeError
from nni_manager.tuning.making import make_algorithm

_BUILT_IN = "nni_manager.algorithms."

_logger = logging.getLogger(__name__)


class _History(Protocol):
    def take(self, request: AlgorithmRequest) -> str:
        """Takes an entry and returns where it differs from what was recorded, "" when it does not."""

    def end(self) -> list[AlgorithmResponse]:
        """Returns what is answered at the end."""


def serve(channel: Channel) -> int:
    """Makes the algorithm that is asked for and serves it until the end; returns the exit code."""
    request = channel.receive()
    if request is None:
        return 0
    algorithm: Any = None
    try:
        algorithm = make_algorithm(request.initialize)
        dispatcher = _dispatcher(request.initialize, algorithm, channel)
        history = _history(request.initialize, algorithm, dispatcher)
        hears = dispatcher.hears_intermediate_results
        channel.send(responses.processed(request.number, hears_intermediate_results=hears))
        if history is not None and not _take_history(history, channel):
            return 0
        _serve(request.initialize, dispatcher, channel)
    except CannotMakeError as error:
        _logger.error("%s", error)
        channel.send(responses.failed(str(error)))
        channel.wait_for_end()
        return 1
    except Exception as error:
        _logger.exception("The algorithm failed.")
        place = type(algorithm).__name__ if algorithm is not None else "the constructor"
        message = f"{place} raised {type(error).__name__}: {error}"
        channel.send(responses.failed(message, traceback.format_exc()))
        _call_hook(algorithm, "_on_error")
        channel.wait_for_end()
        return 1
    _call_hook(algorithm, "_on_exit")
    return 0


def _serve(initialize: InitializeAlgorithm, dispatcher: Any, channel: Channel) -> None:
    if initialize.kind == InitializeAlgorithm.ALGORITHM_KIND_ASSESSOR:
        from nni_manager.tuning.assessor_queue import AssessorQueue

        has_history = initialize.history_use != InitializeAlgorithm.HISTORY_USE_UNSPECIFIED
        AssessorQueue(dispatcher, channel, has_history=has_history).serve()
        return
    while (request := channel.receive()) is not None and not request.HasField("terminate"):
        dispatcher.handle(request)
        channel.send(responses.processed(request.number))


def _take_history(history: _History, channel: Channel) -> bool:
    """Lets the algorithm get to where its history ends; returns False when this process is of no use then."""
    while True:
        request = channel.receive()
        if request is None or request.HasField("terminate"):
            return False
        if request.HasField("history_ends"):
            answers = history.end()
        elif difference := history.take(request):
            answers = [responses.history_taken(HistoryTaken.WAY_DIFFERED, difference)]
        else:
            continue
        for answer in answers:
            channel.send(answer)
        if answers[0].history_taken.way == HistoryTaken.WAY_DIFFERED:
            difference = answers[0].history_taken.message
            _logger.warning("The replay differed, another process imports the results. %s", difference)
            channel.wait_for_end()
            return False
        return True


def _dispatcher(request: InitializeAlgorithm, algorithm: Any, channel: Channel) -> Any:
    # An assessor never pays for importing what a tuner needs, and the reverse.
    if request.kind == InitializeAlgorithm.ALGORITHM_KIND_ASSESSOR:
        from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher

        return AssessorDispatcher(algorithm, channel.send, request.optimize_mode)
    from nni_manager.algorithms.advisor.base import MsgDispatcherBase

    search_space = values.from_message(request.search_space)
    if isinstance(algorithm, MsgDispatcherBase):
        from nni_manager.tuning.advisor_dispatcher import AdvisorDispatcher

        dispatcher = AdvisorDispatcher(algorithm, channel.send)
        dispatcher.initialize(search_space)
        return dispatcher
    from nni_manager.tuning.tuner_dispatcher import TunerDispatcher

    algorithm.update_search_space(search_space)
    return TunerDispatcher(algorithm, channel.send)


def _history(request: InitializeAlgorithm, algorithm: Any, dispatcher: Any) -> _History | None:
    if request.history_use == InitializeAlgorithm.HISTORY_USE_UNSPECIFIED:
        return None
    if request.kind == InitializeAlgorithm.ALGORITHM_KIND_ASSESSOR:
        return None  # It waits for an assessor like anything else.
    if request.history_use == InitializeAlgorithm.HISTORY_USE_IMPORT:
        from nni_manager.tuning.imported_history import ImportedHistory

        return ImportedHistory(dispatcher)
    # A user's subclass of a built-in tuner has a state of its own that only a replay brings back.
    if type(algorithm).__module__.startswith(_BUILT_IN) and hasattr(algorithm, "restore_proposal"):
        from nni_manager.tuning.told_history import ToldHistory

        return ToldHistory(algorithm, dispatcher)
    from nni_manager.tuning.replayed_history import ReplayedHistory

    return ReplayedHistory(dispatcher)


def _call_hook(algorithm: Any, name: str) -> None:
    hook = getattr(algorithm, name, None)
    if hook is None:
        return
    try:
        hook()
    except Exception:
        _logger.exception("%s failed.", name)
