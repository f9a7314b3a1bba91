"""What becomes of the verdicts when something happens to a trial, seen in those on the trials after it.

An assessor is compared with twins: the same one, with the same trials before, to whose last trials something
else happened: to two of them, since one alone may leave a median where it is. Results are maximized.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

from nni_manager.algorithms.assessor import Assessor
from nni_manager.engine.effects import TellIntermediateResult, TellTrialEnd
from nni_manager.engine.statuses import TrialStatus
from nni_manager.testing.tuner_outcomes import is_ignored, logged
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher
from nni_manager.tuning.requests import request_of

STEPS = 8
"""How many results a trial reports in all."""

_TRIALS = ("the trial", "one like it")
_LEVELS = (1.0, 1.2, 1.4)
_PROBES = (0.2, 1.1, 1.3, 1.5)
_HIGH, _LOW = 10.0, 0.01

Verdicts = list[tuple[str, int]]
"""Which trials were stopped, after how many results."""


def curve(level: float, steps: int = STEPS) -> list[float]:
    """Returns results that rise towards a level."""
    return [level * (1.0 - math.exp(-0.6 * (step + 1))) for step in range(steps)]


class AssessorOutcomes:
    """Observes one assessor. Each method returns a word, which outcome_table.py explains.

    Args:
        make: Makes one that maximizes.

    Raises:
        AssertionError: What it does fits no word.
    """

    def __init__(self, make: Callable[[], Assessor]) -> None:
        self._make = make
        self._absent = self._verdicts([], None)
        self._high = self._verdicts(curve(_HIGH), TrialStatus.SUCCEEDED)
        self._low = self._verdicts(curve(_LOW), TrialStatus.SUCCEEDED)
        assert self._high != self._absent, "a good trial changes no verdict"

    def ended(self, status: TrialStatus) -> str:
        """A trial ends without a final result; one that succeeds has reported nothing at all."""
        results = [] if status is TrialStatus.SUCCEEDED else curve(_HIGH)
        return self._word(self._verdicts(results, status))

    def reports_intermediate_alone(self) -> str:
        """A trial succeeds with intermediate results."""
        return self._word(self._high)

    def fails_after_its_result(self) -> str:
        """A trial fails; no assessor is told final results."""
        return self.ended(TrialStatus.FAILED)

    def reports_nan(self) -> str:
        """A trial reports nothing but NaN; another one does between two numbers."""
        with logged() as texts:
            verdicts = self._verdicts([math.nan] * STEPS, TrialStatus.SUCCEEDED)
        assert is_ignored(texts), "it is ignored without a word"
        high = curve(_HIGH)
        assert self._verdicts([*high[:2], math.nan, *high[3:]], TrialStatus.SUCCEEDED) == self._high
        assert self._stopped_by([math.nan] * STEPS) is False, "a trial without a number is stopped"
        return self._left_out(verdicts) + ", logged"

    def reports_no_number(self) -> str:
        """A trial reports nothing that has a number in it."""
        with logged() as texts:
            verdicts = self._verdicts(["text"] * STEPS, TrialStatus.SUCCEEDED)
        assert is_ignored(texts), "it is ignored without a word"
        assert self._stopped_by(["text"] * STEPS) is False, "a trial without a number is stopped"
        return self._left_out(verdicts) + ", logged"

    def reports_infinities(self) -> str:
        """A trial reports infinite results alone, on either side."""
        better = self._verdicts([math.inf] * STEPS, TrialStatus.SUCCEEDED)
        worse = self._verdicts([-math.inf] * STEPS, TrialStatus.SUCCEEDED)
        if better == self._high:
            assert worse == self._low, "an infinite result on the bad side is not the worst"
            return "best or worst"
        return self._same(self._left_out(better), self._left_out(worse))

    def reports_late(self) -> str:
        """Results come after the end of their trial, which was canceled."""

        def late(dispatcher: AssessorDispatcher) -> None:
            for trial in _TRIALS:
                self._run(dispatcher, trial, curve(_HIGH), TrialStatus.SUCCEEDED)

        verdicts = self._verdicts(curve(_LOW, 2), TrialStatus.USER_CANCELED, late)
        assert verdicts == self._absent, "it changes the verdicts"
        return "no effect"

    def reports_twice(self) -> str:
        """Each intermediate result but the first one comes twice, with other numbers."""
        sent: list[AlgorithmResponse] = []
        dispatcher = self._begun(sent)
        for trial in _TRIALS:
            for step, value in enumerate(curve(_HIGH)):
                for number in (value, -value) if step else (value,):
                    dispatcher.handle(request_of(TellIntermediateResult(trial, 0, step, number)))
            dispatcher.handle(request_of(TellTrialEnd(0, trial, 0, TrialStatus.SUCCEEDED)))
        assert self._probed(dispatcher, sent) == self._high, "it changes the verdicts"
        return "no effect"

    def hears_of_customized(self) -> str:
        """A trial with parameters that a user chose reports and succeeds."""
        verdicts = self._verdicts(curve(_HIGH), TrialStatus.SUCCEEDED, parameter_id=None)
        return self._word(verdicts)

    def takes_over(self) -> str:
        """Results are imported: no assessor has a method for them."""
        assert not hasattr(self._make(), "import_data")
        return "not told"

    def repeats(self) -> str:
        """An assessor proposes nothing."""
        return "-"

    def _word(self, verdicts: Verdicts) -> str:
        return "counts" if verdicts == self._high else self._left_out(verdicts)

    def _left_out(self, verdicts: Verdicts) -> str:
        assert verdicts == self._absent, "it changes the verdicts"
        return "left out"

    def _same(self, *words: str) -> str:
        assert len(set(words)) == 1, words
        return words[0]

    def _begun(self, sent: list[AlgorithmResponse]) -> AssessorDispatcher:
        dispatcher = AssessorDispatcher(self._make(), sent.append, "maximize")
        for number, level in enumerate(_LEVELS):
            self._run(dispatcher, f"before {number}", curve(level), TrialStatus.SUCCEEDED)
        return dispatcher

    def _verdicts(
        self,
        results: list[Any],
        status: TrialStatus | None,
        then: Callable[[AssessorDispatcher], None] = lambda _: None,
        parameter_id: int | None = 0,
    ) -> Verdicts:
        """Returns who is stopped after a trial with these results ended in this way."""
        sent: list[AlgorithmResponse] = []
        dispatcher = self._begun(sent)
        for trial in _TRIALS:
            self._run(dispatcher, trial, results, status, parameter_id)
        then(dispatcher)
        return self._probed(dispatcher, sent)

    def _probed(self, dispatcher: AssessorDispatcher, sent: list[AlgorithmResponse]) -> Verdicts:
        verdicts: Verdicts = []
        for number, level in enumerate(_PROBES):
            trial = f"probe {number}"
            for step, value in enumerate(curve(level)):
                sent.clear()
                dispatcher.handle(request_of(TellIntermediateResult(trial, 0, step, value)))
                if sent:
                    verdicts.append((trial, step + 1))
                    break
            dispatcher.handle(request_of(TellTrialEnd(0, trial, 0, TrialStatus.EARLY_STOPPED)))
        return verdicts

    def _stopped_by(self, results: list[Any]) -> bool:
        sent: list[AlgorithmResponse] = []
        dispatcher = self._begun(sent)
        sent.clear()
        self._run(dispatcher, _TRIALS[0], results, None)
        return bool(sent)

    def _run(
        self,
        dispatcher: AssessorDispatcher,
        trial: str,
        results: list[Any],
        status: TrialStatus | None,
        parameter_id: int | None = 0,
    ) -> None:
        for step, value in enumerate(results):
            dispatcher.handle(request_of(TellIntermediateResult(trial, parameter_id, step, value)))
        if status is not None:
            dispatcher.handle(request_of(TellTrialEnd(0, trial, parameter_id, status)))
