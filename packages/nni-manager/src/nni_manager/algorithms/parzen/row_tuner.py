"""What the tuners that learn from rows of numbers have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.results import OptimizeMode, loss_of
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric


class RowTuner(BuiltInTuner):
    """Base class of tuners that see trials as rows of numbers. A subclass has `_choose`.

    Failed and stopped trials without a result are not learned from; a result of NaN is the worst there is.
    Imported results and those of parameters that a user chose are learned from. Results of trials that are
    not running, and second results of one, are logged and ignored. In a finite search space no parameters
    come twice, and NoMoreTrialError is raised once all were proposed.

    Args:
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(self, optimize_mode: str, seed: int | None) -> None:
        super().__init__(seed)
        self._mode = OptimizeMode(optimize_mode)
        self._pending: dict[int, Array] = {}
        self._take_space({})

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; what is known about parameters that are still in it is kept."""
        old_rows = [*self._history.rows, *self._pending.values()]
        known = [deformat_parameters(self._dimensions.decode(row), self._space) for row in old_rows]
        losses, pending_ids = self._history.losses, list(self._pending)
        self._take_space(search_space)
        for parameters, loss in zip(known, losses, strict=False):
            self._learn(parameters, float(loss))
        for parameters, parameter_id in zip(known[len(losses) :], pending_ids, strict=True):
            self._pending[parameter_id] = self._note(parameters)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the most promising parameters.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        chosen = self._deduplicator(self._choose(self._rng(parameter_id)))
        parameters = deformat_parameters(chosen, self._space)
        self._pending[parameter_id] = self._note(parameters)
        return parameters

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial runs with these parameters."""
        self._pending[parameter_id] = self._note(parameters)

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Learns a trial's result, also one of parameters that a user chose (`customized`)."""
        try:
            loss = loss_of(value, self._mode)
        except RuntimeError as error:
            self._ignore(result_name(parameter_id), error)
            return
        # The trial may have run with others than were proposed, so its parameters are those of the result.
        was_pending = parameter_id is not None and self._pending.pop(parameter_id, None) is not None
        if not (parameter_id is None or was_pending or kwargs.get("customized")):
            self._ignore(result_name(parameter_id), "no such trial is running")
        elif not self._learn(parameters, loss):
            self._ignore(result_name(parameter_id), f"nothing of {parameters!r} is in the search space")

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Forgets a trial that ended without a result."""
        if parameter_id is not None:
            self._pending.pop(parameter_id, None)

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        """Returns the parameters to propose; known ones are replaced."""
        raise NotImplementedError

    def _take_space(self, search_space: SearchSpace) -> None:
        self._space = format_search_space(search_space)
        self._dimensions = Dimensions(self._space)
        self._deduplicator = Deduplicator(self._space)
        self._history = History(len(self._space))

    def _note(self, parameters: Parameters) -> Array:
        """Notes parameters as proposed and returns their row."""
        chosen = format_known_parameters(parameters, self._space)
        self._deduplicator.add_history(chosen)
        return self._dimensions.encode(chosen)

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        """Learns a result; returns False if the parameters have nothing of the search space."""
        row = self._note(parameters)
        if np.isnan(row).all():
            return False
        self._history.append(row, loss)
        return True
