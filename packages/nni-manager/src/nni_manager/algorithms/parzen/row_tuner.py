"""What the tuners that learn from rows of numbers have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.learning_tuner import LearningTuner
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.typehint import Parameters, SearchSpace


class RowTuner(LearningTuner):
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
        super().__init__(optimize_mode, seed)
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
        row = self._note(parameters)
        if np.isnan(row).all():
            return False
        self._history.append(row, loss)
        return True

    def _forget(self, parameter_id: int) -> bool:
        return self._pending.pop(parameter_id, None) is not None
