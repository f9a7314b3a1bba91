"""The median stopping rule."""

from __future__ import annotations

import logging
import math
from array import array
from bisect import insort
from dataclasses import dataclass, field

from nni_manager.algorithms.assessor import AssessResult
from nni_manager.algorithms.built_in_assessor import BuiltInAssessor
from nni_manager.algorithms.typehint import TrialMetric

_logger = logging.getLogger(__name__)


@dataclass
class _Run:
    """What is known of a trial that runs; larger numbers are better.

    Attributes:
        averages: The running average at each step, NaN before the first number.
        last: The last result as reported.
        best: The best number.
        total: The sum of the numbers.
        count: How many they are.
    """

    averages: array[float] = field(default_factory=lambda: array("d"))
    last: TrialMetric = None
    best: float | None = None
    total: float = 0.0
    count: int = 0


class MedianstopAssessor(BuiltInAssessor):
    """Stops a trial whose best result so far is worse than the median of the others' averages.

    At step S the best of a trial's S results is compared with the running averages, each of its first S
    results, of all succeeded trials that have as many. The trial is bad when it is strictly worse than their
    median; of an even number of averages the median is the worse one of the middle two.
    Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section 3.2.1.

    Only trials that succeeded are compared with: failed, canceled and stopped ones are forgotten. Results
    without a number, NaN included, are steps that enter neither best nor averages, and a trial that has
    reported no number yet is good. A call takes the time of the new results alone; each result of a succeeded
    trial takes 8 bytes of memory.

    Args:
        optimize_mode: "maximize" or "minimize".
        start_step: Trials with fewer results are good.

    Raises:
        ValueError: The optimize_mode is neither.
    """

    def __init__(self, optimize_mode: str = "maximize", start_step: int = 0) -> None:
        super().__init__(optimize_mode)
        self._start_step = start_step
        self._runs: dict[str, _Run] = {}
        self._averages: list[array[float]] = []  # Those of succeeded trials at each step, sorted.

    def assess_trial(self, trial_job_id: str, trial_history: list[TrialMetric]) -> AssessResult:
        """Judges a trial by its best result so far."""
        self.note_history(trial_job_id, trial_history)
        step = len(trial_history)
        best = self._runs[trial_job_id].best
        if best is None or not max(self._start_step, 1) <= step <= len(self._averages):
            return AssessResult.Good
        averages = self._averages[step - 1]
        if not averages or best >= averages[(len(averages) - 1) // 2]:
            return AssessResult.Good
        return AssessResult.Bad

    def note_history(self, trial_job_id: str, trial_history: list[TrialMetric]) -> None:
        """Takes note of the results that are new."""
        run = self._runs.setdefault(trial_job_id, _Run())
        known = len(run.averages)
        if len(trial_history) < known or (known and not _same(trial_history[known - 1], run.last)):
            run, known = _Run(), 0  # Another attempt.
            self._runs[trial_job_id] = run
        for value in trial_history[known:]:
            number = self._number(trial_job_id, value)
            if number is not None:
                run.best = number if run.best is None else max(run.best, number)
                run.total += number
                run.count += 1
            run.averages.append(run.total / run.count if run.count else math.nan)
            run.last = value

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        """Adds the running averages of a succeeded trial to those compared with."""
        super().trial_end(trial_job_id, success)
        run = self._runs.pop(trial_job_id, None)
        if run is None or not success:
            return
        while len(self._averages) < len(run.averages):
            self._averages.append(array("d"))
        for step in range(max(self._start_step - 1, 0), len(run.averages)):
            if not math.isnan(run.averages[step]):
                insort(self._averages[step], run.averages[step])


def _same(value: TrialMetric, other: TrialMetric) -> bool:
    return value is other or value == other or (value != value and other != other)
