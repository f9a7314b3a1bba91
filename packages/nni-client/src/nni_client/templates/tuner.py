"""A tuner of your own: write what it proposes and what it learns. As it is, it draws at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from nni import NoMoreTrialError, parameter_expressions
from nni.tuner import Tuner
from nni.typehint import Parameters, SearchSpace, TrialMetric, TrialRecord
from nni.utils import extract_scalar_reward


class MyTuner(Tuner):
    """Proposes parameters for trials and learns from their results.

    The methods are called one at a time, in one thread. An exception ends the experiment and is shown.

    A tuner that is made anew, on a resume or after its process died, gets all its calls again. So let random
    numbers depend on the seed and the parameter id; what time, threads or files say would differ then.

    Args:
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable.
    """

    def __init__(self, optimize_mode: str = "minimize", seed: int = 0) -> None:
        """Takes the arguments: classArgs in a configuration file."""
        super().__init__()
        if optimize_mode not in ("minimize", "maximize"):
            raise ValueError(f"optimize_mode is {optimize_mode!r}; it should be 'minimize' or 'maximize'")
        self.optimize_mode = optimize_mode
        self.seed = seed
        self.search_space: SearchSpace = {}
        self.running: dict[int, Parameters] = {}
        self.results: list[tuple[float, Parameters]] = []
        self._accept_customized_trials()  # Results of parameters that a user chose are wanted, too.

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space: before everything else, and whenever a user changes it.

        Args:
            search_space: As in the configuration. An exception refuses a change; the old one stays then.
        """
        for name, parameter in search_space.items():
            if not hasattr(parameter_expressions, parameter["_type"]):
                raise ValueError(f"{name}: this tuner does not know {parameter['_type']}")
        self.search_space = search_space

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the parameters of the next trial: a value for each name.

        Args:
            parameter_id: Their id, under which their result comes back. Ids go up from 0.
            **kwargs: For later use.

        Raises:
            NoMoreTrialError: There are none, for now or at all.
        """
        if not self.search_space:
            raise NoMoreTrialError("the search space is empty")
        random = np.random.RandomState([self.seed, parameter_id])
        parameters = {}
        for name, parameter in self.search_space.items():
            draw, values = getattr(parameter_expressions, parameter["_type"]), parameter["_value"]
            is_choice = parameter["_type"] == "choice"
            parameters[name] = draw(values, random) if is_choice else draw(*values, random)
        self.running[parameter_id] = parameters
        return parameters

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Learns from a trial's final result.

        Args:
            parameter_id: The id of its parameters, None for those that a user chose.
            parameters: The parameters.
            value: The result as the trial reported it: a number, or an object with the number at "default".
            **kwargs: `customized`, whether a user chose the parameters, and `trial_job_id`.
        """
        self.results.append((extract_scalar_reward(value), parameters))

    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Takes note that a trial ended, after its final result if it has one.

        Args:
            parameter_id: The id of its parameters, None for those that a user chose.
            success: Whether it ended by itself with exit code 0.
            **kwargs: For later use.
        """
        self.running.pop(parameter_id, None)

    def import_data(self, data: list[TrialRecord]) -> None:
        """Learns from results of other experiments.

        Args:
            data: One {"parameter": ..., "value": ...} for each.
        """
        for record in data:
            self.results.append((extract_scalar_reward(record["value"]), record["parameter"]))
