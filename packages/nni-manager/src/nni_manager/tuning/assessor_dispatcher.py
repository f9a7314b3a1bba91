"""Calls an assessor the way NNI does, and never lets it stop the best trial."""

from __future__ import annotations

import logging
import threading
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

from nni_manager.algorithms.results import number_in
from nni_manager.tuning import responses
from nni_manager.tuning.plain_values import plain
from nni_manager.tuning.step_leaders import StepLeaders

_BUILT_IN = "nni_manager.algorithms."

_logger = logging.getLogger(__name__)


@dataclass(eq=False)
class TrialResults:
    """The intermediate results of one attempt of a trial.

    Attributes:
        trial_id: The trial.
        results: Those without a gap, in order.
        early: Those that came before one that is still missing, by index.
        best: The best number in `results`, the larger the better; None when there is none.
        judged_count: How many of them the assessor has seen.
        is_judged_bad: Whether the trial is to be stopped, so that it is not judged again.
        is_over: Whether the attempt has ended, so that no verdict is of use.
        was_overruled: Whether a verdict was not heeded because the trial was the best.
    """

    trial_id: str
    results: list[Any] = field(default_factory=list)
    early: dict[int, Any] = field(default_factory=dict)
    best: float | None = None
    judged_count: int = 0
    is_judged_bad: bool = False
    is_over: bool = False
    was_overruled: bool = False


@dataclass(frozen=True)
class Judgment:
    """The assessor is to judge a trial by its first results.

    Attributes:
        trial: Its results.
        count: How many of them there were without a gap.
    """

    trial: TrialResults
    count: int


@dataclass(frozen=True)
class End:
    """The assessor is to hear that a trial it judged has ended.

    Attributes:
        trial: Its results.
        success: Whether it succeeded.
    """

    trial: TrialResults
    success: bool


class AssessorDispatcher:
    """Turns requests into calls of an assessor, and what it returns into responses.

    A trial whose best value so far is the best of all at its step is never stopped: no other trial had a
    better one among as many results. It needs a number for that, which NaN is not.

    What is told is noted in one thread and made into calls in another, so that a slow assessor holds up
    nobody. One that is behind judges the newest results of trials that run, and no others.

    Args:
        assessor: The assessor.
        send: Sends a response.
        optimize_mode: "maximize" or "minimize".

    Attributes:
        send: Sends a response.
        hears_intermediate_results: False: it is told them all the same.
        is_built_in: Whether it needs no call for each result and can take note without judging.
    """

    hears_intermediate_results = False

    def __init__(
        self, assessor: Any, send: Callable[[AlgorithmResponse], None], optimize_mode: str = "maximize"
    ) -> None:
        self.send = send
        # A user's subclass of a built-in one may do anything in its assess_trial.
        self.is_built_in = type(assessor).__module__.startswith(_BUILT_IN)
        self._assessor = assessor
        self._sign = -1.0 if optimize_mode == "minimize" else 1.0
        self._trials: dict[str, TrialResults] = {}
        self._ended: set[str] = set()
        self._leaders = StepLeaders()
        self._lock = threading.Lock()

    def handle(self, request: AlgorithmRequest) -> None:
        """Deals with a request at once. Whatever the assessor raises passes through."""
        for call in self.note(request):
            self.make(call)

    def note(self, request: AlgorithmRequest) -> list[Judgment | End]:
        """Takes note of a request and returns the calls that it leads to."""
        kind = request.WhichOneof("request")
        with self._lock:
            if kind == "intermediate_result":
                return self._note_result(request.intermediate_result)
            if kind == "trial_end":
                return self._note_end(request.trial_end)
        _logger.warning("An assessor was told %s, which means nothing to it.", kind)
        return []

    def make(self, call: Judgment | End, *, is_behind: bool = False, is_heeded: bool = True) -> None:
        """Makes a call. Whatever the assessor raises passes through.

        Args:
            call: The call.
            is_behind: Whether others have waited for long.
            is_heeded: Whether a bad trial is to be stopped.
        """
        if isinstance(call, End):
            self._end(call)
            return
        trial = call.trial
        with self._lock:
            count = len(trial.results) if is_behind else call.count
            is_useless = trial.is_over and (is_behind or self.is_built_in)
            if trial.is_judged_bad or is_useless or count <= trial.judged_count:
                return
            trial.judged_count = count
            results = trial.results[:count]
        verdict = plain(self._assessor.assess_trial(trial.trial_id, results))
        if not isinstance(verdict, bool):
            raise RuntimeError(f"assess_trial returned {verdict!r}, neither an AssessResult nor a bool")
        if not verdict:
            self._judged_bad(trial, results, is_heeded)

    def forget_verdicts(self) -> None:
        """Lets trials that were judged bad be judged again by their next result."""
        with self._lock:
            for trial in self._trials.values():
                trial.is_judged_bad = False

    def _note_result(self, request: TellIntermediateResult) -> list[Judgment | End]:
        trial_id = request.trial_id
        if trial_id in self._ended:
            _logger.info("A result of trial %s, which has ended, is ignored.", trial_id)
            return []
        calls: list[Judgment | End] = []
        trial = self._trials.get(trial_id)
        if trial is not None and request.index == 0 and trial.results:
            # The first result again is of another attempt, which knows nothing of the one before.
            trial.is_over = True
            calls.append(End(trial, False))
            trial = None
        if trial is None:
            trial = self._trials[trial_id] = TrialResults(trial_id)
        if self._add(trial, request.index, values.from_message(request.value)):
            calls.append(Judgment(trial, len(trial.results)))
        return calls

    def _add(self, trial: TrialResults, index: int, value: Any) -> bool:
        """Adds a result; returns whether there are more without a gap now."""
        before = len(trial.results)
        if index >= before:
            trial.early[index] = value
        while (step := len(trial.results)) in trial.early:
            trial.results.append(trial.early.pop(step))
            before_it, trial.best = trial.best, self._best([trial.results[step]], trial.best)
            if trial.best is not None and trial.best != before_it:
                self._leaders.note(step, trial.trial_id, trial.best)
        return len(trial.results) > before

    def _best(self, results: list[Any], best: float | None = None) -> float | None:
        for value in results:
            number = number_in(value)
            if number is not None and (best is None or self._sign * number > best):
                best = self._sign * number
        return best

    def _note_end(self, request: TellTrialEnd) -> list[Judgment | End]:
        self._ended.add(request.trial_id)
        trial = self._trials.pop(request.trial_id, None)
        if trial is None:
            return []
        trial.is_over = True
        return [End(trial, request.status == Trial.STATUS_SUCCEEDED)]

    def _end(self, call: End) -> None:
        self._note_rest(call.trial)
        if call.trial.judged_count:
            self._assessor.trial_end(call.trial.trial_id, call.success)

    def _note_rest(self, trial: TrialResults) -> None:
        if self.is_built_in and trial.judged_count < len(trial.results):
            trial.judged_count = len(trial.results)
            self._assessor.note_history(trial.trial_id, list(trial.results))

    def _judged_bad(self, trial: TrialResults, results: list[Any], is_heeded: bool) -> None:
        name, trial_id, count = type(self._assessor).__name__, trial.trial_id, len(results)
        with self._lock:
            if trial.is_over:
                return
            # Others may have reported since it was asked, and the trial itself too.
            is_best = self._leaders.is_best(count - 1, trial_id, self._best(results))
            is_best = is_best or self._leaders.is_best(len(trial.results) - 1, trial_id, trial.best)
            is_first_time = not trial.was_overruled
            trial.was_overruled |= is_best
            trial.is_judged_bad = not is_best
        if not is_heeded:
            return
        if not is_best:
            self.send(
                responses.stop_trial(trial_id, f"{name} judged it bad after {count} intermediate results")
            )
        elif is_first_time:
            text = (
                "%s judged trial %s bad after %s intermediate results, but it is the best so far and goes on."
            )
            _logger.info(text, name, trial_id, count)
