"""A tuner of one's own: it changes one parameter of the best trial so far."""

import random

from nni.tuner import Tuner
from nni.utils import extract_scalar_reward


class HillClimber(Tuner):
    """Starts at random and then changes the best parameters a little.

    Args:
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable.
    """

    def __init__(self, optimize_mode="minimize", seed=None):
        super().__init__()
        self.sign = 1 if optimize_mode == "minimize" else -1
        self.random = random.Random(seed)
        self.best_loss = None
        self.best_parameters = None

    def update_search_space(self, search_space):
        """Takes the search space. Any JSON will do; here it is the lower and the upper bound of each name."""
        self.bounds = search_space

    def generate_parameters(self, parameter_id, **kwargs):
        """Returns the next parameters to try."""
        if self.best_parameters is None:
            return {name: self.random.uniform(low, high) for name, (low, high) in self.bounds.items()}
        name = self.random.choice(list(self.bounds))
        low, high = self.bounds[name]
        value = self.best_parameters[name] + self.random.gauss(0, 0.1) * (high - low)
        return {**self.best_parameters, name: min(max(value, low), high)}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        """Remembers the parameters with the best result."""
        loss = self.sign * extract_scalar_reward(value)
        if self.best_loss is None or loss < self.best_loss:
            self.best_loss, self.best_parameters = loss, parameters
