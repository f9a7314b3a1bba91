"""The base class of assessors."""

from __future__ import annotations

from enum import Enum

from nni_manager.algorithms.recoverable import Recoverable
from nni_manager.algorithms.typehint import TrialMetric


class AssessResult(Enum):
    """What an assessor thinks of a trial."""

    Good = True
    Bad = False


class Assessor(Recoverable):
    """Decides by their intermediate results which trials are stopped early."""

    def assess_trial(self, trial_job_id: str, trial_history: list[TrialMetric]) -> AssessResult | bool:
        """Judges a trial.

        Args:
            trial_job_id: The trial.
            trial_history: Its intermediate results so far as it reported them, in order and without a gap.

        Returns:
            `AssessResult.Good` or True to let it run, `AssessResult.Bad` or False to stop it.
        """
        raise NotImplementedError("Assessor: assess_trial not implemented")

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        """Takes note that a trial that was judged ended.

        Args:
            trial_job_id: The trial.
            success: Whether it ended by itself with exit code 0.
        """

    def _on_exit(self) -> None:
        """Is called when the experiment ends."""

    def _on_error(self) -> None:
        """Is called when the assessor failed."""
