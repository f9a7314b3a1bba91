"""What waits for a slow assessor, while its results go on being taken from the manager."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nni_proto.v1.algorithm_pb2 import AlgorithmRequest

from nni_manager.tuning import responses
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher, End, Judgment, TrialResults
from nni_manager.tuning.assessor_history import AssessorHistory
from nni_manager.tuning.channel import Channel

PATIENCE_SECONDS = 5.0
"""How long a call may wait before the assessor counts as behind."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A call that waits.

    Attributes:
        number: The number of its request, 0 in a history.
        call: The call, None where the history ends.
        since: When it began to wait.
        is_for_newest: Whether it is to be made with the newest results.
    """

    number: int
    call: Judgment | End | None
    since: float
    is_for_newest: bool = False


class AssessorQueue:
    """Takes requests from the manager in a thread of its own, and makes the calls in the caller's.

    An assessor that keeps up is called for every result, as in NNI. One that is behind is called for the
    newest results of each trial that runs, so that few calls wait, and none for each result.

    One that is made anew sees everything again. Its history waits like anything else, so that neither the
    manager nor trials wait for a slow one; a built-in one takes note of it without judging.

    Args:
        dispatcher: Makes the calls.
        channel: Where requests come from.
        has_history: Whether the first requests are a history.
        clock: Returns a time in seconds.

    Attributes:
        has_ended: Whether no more requests come.
    """

    def __init__(
        self,
        dispatcher: AssessorDispatcher,
        channel: Channel,
        *,
        has_history: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dispatcher = dispatcher
        self._channel = channel
        self._history: AssessorHistory | None = AssessorHistory(dispatcher) if has_history else None
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._judgments: dict[TrialResults, int] = {}
        self._left_out: dict[TrialResults, int] = {}
        self._current: _Waiting | None = None
        self._changed = threading.Condition()
        self.has_ended = False
        self._has_gone = False
        self._failure: Exception | None = None

    def __len__(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    def serve(self) -> None:
        """Makes calls until the manager ends the assessor, those that wait then included, or has gone.

        Whatever the assessor raises passes through.
        """
        threading.Thread(target=self._read, name="requests", daemon=True).start()
        while (waiting := self._next()) is not None:
            if waiting.call is None:
                # A verdict may have been lost with the manager: the next result brings it again.
                self._dispatcher.forget_verdicts()
                continue
            is_behind = waiting.is_for_newest or self.is_behind()
            self._dispatcher.make(waiting.call, is_behind=is_behind, is_heeded=bool(waiting.number))
            if waiting.number:
                self._channel.send(responses.processed(waiting.number))
        if self._failure is not None:
            raise self._failure

    def is_behind(self) -> bool:
        """Whether the oldest call that is not done yet has waited for long."""
        with self._changed:
            return self._is_behind()

    def add(self, request: AlgorithmRequest) -> None:
        """Takes note of a request."""
        number = request.number
        calls: Sequence[Judgment | End | None]
        if self._history is None:
            calls = self._dispatcher.note(request)
        elif request.HasField("history_ends"):
            self._channel.send(self._history.end())
            self._history, calls = None, [None]
        else:
            # What was dealt with in an earlier life is no sign that this one works.
            calls, number = self._history.note(request), 0
        with self._changed:
            for call in calls:
                if isinstance(call, Judgment):
                    if self._judgments.get(call.trial) and self._is_behind():
                        self._left_out[call.trial] = number
                        continue
                    self._judgments[call.trial] = self._judgments.get(call.trial, 0) + 1
                self._waiting.append(_Waiting(number, call, self._clock()))
            self._changed.notify()

    def _is_behind(self) -> bool:
        oldest = self._current or (self._waiting[0] if self._waiting else None)
        return oldest is not None and self._clock() - oldest.since > PATIENCE_SECONDS

    def _read(self) -> None:
        try:
            while True:
                request = self._channel.receive()
                if request is None or request.HasField("terminate"):
                    self._has_gone = request is None
                    return
                self.add(request)
        except Exception as error:
            self._failure, self._has_gone = error, True
        finally:
            with self._changed:
                self.has_ended = True
                self._changed.notify()

    def _next(self) -> _Waiting | None:
        with self._changed:
            self._current = None
            while not self._waiting and not self.has_ended:
                self._changed.wait()
            if not self._waiting or self._has_gone:
                return None
            waiting = self._waiting.popleft()
            if isinstance(waiting.call, Judgment):
                waiting = self._with_those_left_out(waiting, waiting.call.trial)
            self._current = waiting
            return waiting

    def _with_those_left_out(self, waiting: _Waiting, trial: TrialResults) -> _Waiting:
        """Returns a judgment that stands for later ones of the trial, too, which were not made to wait."""
        self._judgments[trial] -= 1
        if not self._judgments[trial]:
            del self._judgments[trial]
        if trial not in self._left_out:
            return waiting
        return replace(waiting, number=self._left_out.pop(trial), is_for_newest=True)
