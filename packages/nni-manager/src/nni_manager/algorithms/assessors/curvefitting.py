"""Early stopping by the prediction of learning curves."""

from __future__ import annotations

import hashlib
import logging

import numpy as np

from nni_manager.algorithms.assessor import AssessResult
from nni_manager.algorithms.built_in_assessor import BuiltInAssessor
from nni_manager.algorithms.learning_curves.curve_model import CurveModel
from nni_manager.algorithms.results import number_in
from nni_manager.algorithms.typehint import TrialMetric

_SURE = 0.05

_logger = logging.getLogger(__name__)


class CurvefittingAssessor(BuiltInAssessor):
    """Stops a trial whose learning curve is predicted to end below the best of those that succeeded.

    From step start_step on, at every gap-th step, curves are fitted to the trial's results and the result at
    step epoch_num is predicted. The trial is bad when the prediction is not above `threshold` times the best
    of the results that succeeded trials had at that step, or as their last, and when the probability of
    ending above that is under 5 %, as the paper has it. For results below 0, and when minimizing, the
    distance from the best is what counts: (1 - threshold) times its size.
    Domhan, Springenberg and Hutter, "Speeding up Automatic Hyperparameter Optimization of Deep Neural
    Networks by Extrapolation of Learning Curves", IJCAI 2015.

    A trial is good until one has succeeded, when too few curves agree on a prediction, and from step
    epoch_num on. Results without a number and infinite ones are left out of the fit. Random numbers depend on
    the trial and the step alone. A call takes well under a second however long the history is.

    Args:
        epoch_num: How many results a trial reports in all.
        start_step: Trials with fewer results are good.
        threshold: The part of the best result that the prediction has to exceed.
        gap: How many results lie between two judgments of a trial.
        optimize_mode: "maximize" or "minimize".

    Attributes:
        target_pos: epoch_num.
        start_step: start_step.
        threshold: threshold.
        gap: gap.

    Raises:
        ValueError: The optimize_mode is neither.
    """

    def __init__(
        self,
        epoch_num: int = 20,
        start_step: int = 6,
        threshold: float = 0.95,
        gap: int = 1,
        optimize_mode: str = "maximize",
    ) -> None:
        super().__init__(optimize_mode)
        self.target_pos = epoch_num
        self.start_step = start_step
        self.threshold = threshold
        self.gap = gap
        self._best: float | None = None
        self._last: dict[str, float | None] = {}
        self._noted_counts: dict[str, int] = {}
        self._judged_at: dict[str, int] = {}
        self._has_warned = False

    def assess_trial(self, trial_job_id: str, trial_history: list[TrialMetric]) -> AssessResult:
        """Judges a trial by the prediction of its result at step epoch_num."""
        self.note_history(trial_job_id, trial_history)
        step = len(trial_history)
        if step < self._judged_at.get(trial_job_id, 0):
            del self._judged_at[trial_job_id]  # Another attempt.
        if self._best is None or not self.start_step <= step < self.target_pos:
            return AssessResult.Good
        if trial_job_id in self._judged_at and step - self._judged_at[trial_job_id] < self.gap:
            return AssessResult.Good
        self._judged_at[trial_job_id] = step
        numbers = [number_in(value) for value in trial_history]
        history = [np.nan if number is None else self._sign * number for number in numbers]
        return self._judge(trial_job_id, history, self._best)

    def note_history(self, trial_job_id: str, trial_history: list[TrialMetric]) -> None:
        """Takes note of the trial's result at step epoch_num, or of its last before."""
        if len(trial_history) > self.target_pos and not self._has_warned:
            self._has_warned = True
            _logger.warning("Trials report more than epoch_num = %s results.", self.target_pos)
        noted = self._noted_counts.get(trial_job_id, 0)
        for value in trial_history[noted if noted <= len(trial_history) else 0 :]:
            self._number(trial_job_id, value)  # Logs what has none.
        self._noted_counts[trial_job_id] = len(trial_history)
        self._last[trial_job_id] = next(
            (
                self._sign * number
                for value in reversed(trial_history[: self.target_pos])
                if (number := number_in(value)) is not None
            ),
            None,
        )

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        """Takes note of the result of a succeeded trial."""
        super().trial_end(trial_job_id, success)
        self._judged_at.pop(trial_job_id, None)
        self._noted_counts.pop(trial_job_id, None)
        last = self._last.pop(trial_job_id, None)
        if success and last is not None and np.isfinite(last):
            self._best = last if self._best is None else max(self._best, last)

    def _judge(self, trial_job_id: str, history: list[float], best: float) -> AssessResult:
        model = CurveModel(self.target_pos, _random_numbers(trial_job_id, len(history)))
        prediction = model.predict(history)
        if prediction is None:
            _logger.info("Trial %s at step %s: no prediction yet.", trial_job_id, len(history))
            return AssessResult.Good
        bound = best - (1.0 - self.threshold) * abs(best)
        probability = model.probability_above(bound)
        _logger.info(
            "Trial %s at step %s: %.6g is predicted, above %.6g with probability %.3g.",
            *(trial_job_id, len(history), self._sign * prediction, self._sign * bound, probability),
        )
        is_bad = prediction <= bound and probability < _SURE
        return AssessResult.Bad if is_bad else AssessResult.Good


def _random_numbers(trial_job_id: str, step: int) -> np.random.Generator:
    digest = hashlib.sha256(str(trial_job_id).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence((int.from_bytes(digest[:8], "big"), step)))
