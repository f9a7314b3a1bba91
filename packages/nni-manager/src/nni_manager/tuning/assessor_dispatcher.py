"""Calls an assessor the way NNI does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nni_proto import values
from nni_proto.v1.algorithm_pb2 import (
    AlgorithmRequest,
    AlgorithmResponse,
    TellIntermediateResult,
    TellTrialEnd,
)
from nni_proto.v1.trial_pb2 import Trial

from nni_manager.tuning import responses
from nni_manager.tuning.plain_values import plain

_logger = logging.getLogger(__name__)


@dataclass
class _History:
    """A trial's intermediate results.

    Attributes:
        results: Those without a gap, in order.
        early: Those that came before one that is still missing, by index.
        judged_bad: Whether the trial is to be stopped, so that it is not judged again.
    """

    results: list[Any] = field(default_factory=list)
    early: dict[int, Any] = field(default_factory=dict)
    judged_bad: bool = False

    def add(self, index: int, value: Any) -> bool:
        """Adds a result; returns whether there are more without a gap now."""
        before = len(self.results)
        if index >= before:
            self.early[index] = value
        while len(self.results) in self.early:
            self.results.append(self.early.pop(len(self.results)))
        return len(self.results) > before


class AssessorDispatcher:
    """Turns requests into calls of an assessor, and what it returns into responses.

    Attributes:
        send: Sends a response.
        hears_intermediate_results: False: it is told them all the same.
    """

    hears_intermediate_results = False

    def __init__(self, assessor: Any, send: Callable[[AlgorithmResponse], None]) -> None:
        self.send = send
        self._assessor = assessor
        self._histories: dict[str, _History] = {}
        self._ended: set[str] = set()

    def handle(self, request: AlgorithmRequest) -> None:
        """Deals with a request. Whatever the assessor raises passes through."""
        kind = request.WhichOneof("request")
        if kind == "intermediate_result":
            self._judge(request.intermediate_result)
        elif kind == "trial_end":
            self._take_end(request.trial_end)
        else:
            _logger.warning("An assessor was told %s, which means nothing to it.", kind)

    def forget_verdicts(self) -> None:
        """Lets trials that were judged bad be judged again by their next result."""
        for history in self._histories.values():
            history.judged_bad = False

    def _judge(self, request: TellIntermediateResult) -> None:
        trial_id = request.trial_id
        if trial_id in self._ended:
            return
        history = self._histories.get(trial_id)
        if history is None or (request.index == 0 and history.results):
            # The first result again is of another attempt, which knows nothing of the one before.
            history = self._histories[trial_id] = _History()
        if not history.add(request.index, values.from_message(request.value)) or history.judged_bad:
            return
        verdict = plain(self._assessor.assess_trial(trial_id, list(history.results)))
        if not isinstance(verdict, bool):
            raise RuntimeError(f"assess_trial returned {verdict!r}, neither an AssessResult nor a bool")
        if not verdict:
            history.judged_bad = True
            count = len(history.results)
            message = f"{type(self._assessor).__name__} judged it bad after {count} intermediate results"
            self.send(responses.stop_trial(trial_id, message))

    def _take_end(self, request: TellTrialEnd) -> None:
        self._ended.add(request.trial_id)
        if self._histories.pop(request.trial_id, None) is not None:
            self._assessor.trial_end(request.trial_id, request.status == Trial.STATUS_SUCCEEDED)
