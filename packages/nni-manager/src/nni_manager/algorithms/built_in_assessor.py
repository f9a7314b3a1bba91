"""What the built-in assessors have in common."""

from __future__ import annotations

import logging
from typing import Any

from nni_manager.algorithms.assessor import Assessor
from nni_manager.algorithms.results import OptimizeMode, number_in
from nni_manager.algorithms.typehint import TrialMetric

_logger = logging.getLogger(__name__)


class BuiltInAssessor(Assessor):
    """Base class of the built-in assessors.

    They need no call for each result: a later one may bring several results more. `note_history` is
    `assess_trial` without the verdict, so that a fresh instance that is told the histories and ends of trials
    in order goes on as the one before would have.

    Results are never an error. NaN and results without a number count as a step of the trial and as nothing
    else; they are counted, and the first of a trial is logged.

    Args:
        optimize_mode: "maximize" or "minimize".

    Raises:
        ValueError: The optimize_mode is neither.
    """

    def __init__(self, optimize_mode: str) -> None:
        super().__init__()
        self._mode = OptimizeMode(optimize_mode)
        self._sign = 1.0 if self._mode is OptimizeMode.Maximize else -1.0
        self._ignored: dict[str, int] = {}

    def note_history(self, trial_job_id: str, trial_history: list[TrialMetric]) -> None:
        """Takes note of a trial's intermediate results that nobody wants judged.

        Args:
            trial_job_id: The trial.
            trial_history: Its intermediate results so far.
        """
        raise NotImplementedError

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        """Forgets a trial; what a succeeded one teaches is kept."""
        ignored = self._ignored.pop(trial_job_id, 0)
        if ignored:
            _logger.info("%s intermediate results of trial %s had no number.", ignored, trial_job_id)

    def _number(self, trial_job_id: str, value: Any) -> float | None:
        """Returns the number in a result, the larger the better; None, which is logged, without one."""
        number = number_in(value)
        if number is None:
            if trial_job_id not in self._ignored:
                _logger.warning("The result %.80r of trial %s is ignored: no number.", value, trial_job_id)
            self._ignored[trial_job_id] = self._ignored.get(trial_job_id, 0) + 1
            return None
        return self._sign * number
