"""What NNI took from the library hyperopt: its annealing, TPE and random search."""

from __future__ import annotations

from typing import Any

from nni_manager.algorithms.built_in_tuner import BuiltInTuner
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.tuners.anneal import AnnealTuner
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.algorithms.tuners.tpe import TpeTuner
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric, TrialRecord

_LIARS = ("min", "max", "mean")


class HyperoptTuner(BuiltInTuner):
    """Passes everything on to AnnealTuner, TpeTuner or RandomTuner, which see. hyperopt itself is not used.

    Args:
        algorithm_name: "anneal", "tpe" or "random_search".
        optimize_mode: "minimize" or "maximize".
        parallel_optimize: Whether running trials count as trials with a result.
        constant_liar_type: Which result that is: the "min", the "max" or the "mean" of all reported results.
            To TPE the best one, be it the smallest or the largest, is the liar "best", the other one "worst".
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.

    Raises:
        ValueError: An argument is none of those.
    """

    def __init__(
        self,
        algorithm_name: str,
        optimize_mode: str = "minimize",
        parallel_optimize: bool = False,
        constant_liar_type: str = "min",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if constant_liar_type not in _LIARS:
            allowed = ", ".join(_LIARS)
            raise ValueError(f"constant_liar_type is {constant_liar_type!r}; allowed are {allowed}")
        self._mode = OptimizeMode(optimize_mode)
        self.algorithm_name = algorithm_name
        self._tuner: BuiltInTuner
        if algorithm_name == "anneal":
            self._tuner = AnnealTuner(optimize_mode, parallel_optimize, constant_liar_type, seed)
        elif algorithm_name == "tpe":
            liar = _liar_of_tpe(optimize_mode, constant_liar_type) if parallel_optimize else None
            self._tuner = TpeTuner(optimize_mode, seed, {"constant_liar_type": liar})
        elif algorithm_name == "random_search":
            self._tuner = RandomTuner(seed, optimize_mode)
        else:
            allowed = "anneal, tpe, random_search"
            raise ValueError(f"algorithm_name is {algorithm_name!r}; allowed are {allowed}")

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; what is known about parameters that are still in it is kept."""
        self._tuner.update_search_space(search_space)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns parameters.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        return self._tuner.generate_parameters(parameter_id, **kwargs)

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that these parameters were proposed."""
        self._tuner.restore_proposal(parameter_id, parameters)

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Takes a trial's result."""
        self._tuner.receive_trial_result(parameter_id, parameters, value, **kwargs)

    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Takes note that a trial ended."""
        self._tuner.trial_end(parameter_id, success, **kwargs)

    def import_data(self, data: list[TrialRecord]) -> None:
        """Takes results of other experiments."""
        self._tuner.import_data(data)


def _liar_of_tpe(optimize_mode: str, constant_liar_type: str) -> str:
    if constant_liar_type == "mean":
        return "mean"
    smallest_is_best = optimize_mode == OptimizeMode.Minimize.value
    return "best" if smallest_is_best == (constant_liar_type == "min") else "worst"
