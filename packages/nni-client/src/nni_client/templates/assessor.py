"""An assessor of your own: write which trials it stops. As it is, those that do not improve."""

from __future__ import annotations

from nni.assessor import Assessor, AssessResult
from nni.typehint import TrialMetric
from nni.utils import extract_scalar_reward


class MyAssessor(Assessor):
    """Decides by their intermediate results which trials are stopped early.

    The methods are called one at a time, in one thread. An exception ends the experiment and is shown.

    Args:
        optimize_mode: "minimize" or "maximize".
        patience: After how many results without a better one a trial is stopped.
    """

    def __init__(self, optimize_mode: str = "minimize", patience: int = 5) -> None:
        """Takes the arguments: classArgs in a configuration file."""
        super().__init__()
        if optimize_mode not in ("minimize", "maximize"):
            raise ValueError(f"optimize_mode is {optimize_mode!r}; it should be 'minimize' or 'maximize'")
        self.optimize_mode = optimize_mode
        self.patience = patience

    def assess_trial(self, trial_job_id: str, trial_history: list[TrialMetric]) -> AssessResult:
        """Judges a trial, whenever it has reported.

        Args:
            trial_job_id: The trial.
            trial_history: Its intermediate results so far, each a number or an object with it at "default".

        Returns:
            `AssessResult.Good` to let it run, `AssessResult.Bad` to stop it.
        """
        sign = 1 if self.optimize_mode == "minimize" else -1
        losses = [sign * extract_scalar_reward(value) for value in trial_history]
        is_stuck = len(losses) - 1 - losses.index(min(losses)) >= self.patience
        return AssessResult.Bad if is_stuck else AssessResult.Good

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        """Takes note that a trial that was judged ended.

        Args:
            trial_job_id: The trial.
            success: Whether it ended by itself with exit code 0.
        """
