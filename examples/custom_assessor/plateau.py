"""An assessor of one's own: it stops a trial that is behind the best one and does not catch up."""

from nni.assessor import Assessor, AssessResult
from nni.utils import extract_scalar_reward


class Plateau(Assessor):
    """Stops a trial whose loss has hardly changed, unless it is the best of all so far.

    Args:
        patience: Over how many results the loss is looked at.
        least_change: How much of itself it has to lose over these, to be let run.
    """

    def __init__(self, patience=3, least_change=0.05):
        super().__init__()
        self.patience = patience
        self.least_change = least_change
        self.best = {}  # the best loss of each trial

    def assess_trial(self, trial_job_id, trial_history):
        """Judges a trial whenever it has reported; its results so far are in trial_history."""
        losses = [extract_scalar_reward(value) for value in trial_history]
        self.best[trial_job_id] = min(losses)
        if len(losses) <= self.patience or self.best[trial_job_id] == min(self.best.values()):
            return AssessResult.Good
        change = 1 - losses[-1] / losses[-1 - self.patience]
        return AssessResult.Good if change >= self.least_change else AssessResult.Bad
