"""What the tuners that learn from results have in common."""

from __future__ import annotations

from typing import Any

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.typehint import Parameters, TrialMetric


class LearningTuner(BuiltInTuner):
    """Base class of tuners that learn the first result of each trial. A subclass has `_learn` and `_forget`.

    Args:
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(self, optimize_mode: str, seed: int | None) -> None:
        super().__init__(seed)
        self._mode = OptimizeMode(optimize_mode)

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Learns a trial's result, also one of parameters that a user chose (`customized`)."""
        loss = self._loss(result_name(parameter_id), value, self._mode)
        if loss is None:
            return
        # The trial may have run with others than were proposed, so its parameters are those of the result.
        was_running = parameter_id is not None and self._forget(parameter_id)
        if not (parameter_id is None or was_running or kwargs.get("customized")):
            self._ignore(result_name(parameter_id), "no such trial is running")
        elif not self._learn(parameters, loss):
            self._ignore(result_name(parameter_id), f"nothing of {parameters!r} is in the search space")

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Forgets a trial that ended without a result."""
        if parameter_id is not None:
            self._forget(parameter_id)

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        """Learns a result; returns False if the parameters have nothing of the search space."""
        raise NotImplementedError

    def _forget(self, parameter_id: int) -> bool:
        """Forgets that a trial runs; returns whether it did."""
        raise NotImplementedError
