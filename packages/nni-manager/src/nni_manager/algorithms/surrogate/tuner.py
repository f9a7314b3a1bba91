"""What the tuners that model results by regression have in common."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.learning_tuner import LearningTuner
from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.surrogate.encoder import Encoder
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.algorithms.typehint import Parameters, SearchSpace

_SAME = 1e-6


class SurrogateTuner(LearningTuner):
    """Base class of tuners that look for promising points in a model of the results.

    It starts with random points. A trial that runs is in `_pending`, a finished one in `_history`, both as
    vectors. A subclass has `_choose`.

    Failed and stopped trials without a result are not learned from; a result of NaN is the worst there is.
    Results of trials that are not running, and second results of one, are logged and ignored. In a finite
    search space no parameters come twice, and NoMoreTrialError is raised once all were proposed.

    Args:
        optimize_mode: "minimize" or "maximize".
        cold_start_num: How many results there have to be before the model is used.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(self, optimize_mode: str, cold_start_num: int, seed: int | None) -> None:
        super().__init__(optimize_mode, seed)
        self._cold_start_num = cold_start_num
        self._pending: dict[int, Array] = {}
        self._take_space({})

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; what is known about parameters that are still in it is kept."""
        known, running = self._known, self._running
        self._take_space(search_space)
        for parameters, loss in known:
            self._learn(parameters, loss)
        for parameter_id, parameters in running.items():
            self._start(parameter_id, parameters)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the most promising parameters.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        rng = self._rng(parameter_id)
        if self._history.count < self._cold_start_num:
            chosen = suggest(rng, self._space)
        else:
            # Beside trials that keep the cores busy, threads that wait for one another take far longer.
            with _threads().limit(limits=1):
                chosen = self._choose(rng)
        parameters = deformat_parameters(self._unrepeated(chosen), self._space)
        self._start(parameter_id, parameters)
        return parameters

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial runs with these parameters."""
        self._start(parameter_id, parameters)

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        """Returns the most promising parameters; there are `cold_start_num` results or more."""
        raise NotImplementedError

    def _unrepeated(self, chosen: FormattedParameters) -> FormattedParameters:
        """Returns parameters that were not proposed yet: these ones, or others."""
        return self._deduplicator(chosen)

    def _new_ones(self, vectors: Array) -> Array:
        """Returns those vectors that neither ran nor run, nor do ones that are all but the same."""
        kept = [
            vector
            for vector in vectors
            if self._deduplicator.is_new(self._encoder.decode(vector))
            and not any(
                bool((np.abs(rows - vector).max(axis=1, initial=0.0) < _SAME).any())
                for rows in (self._history.rows, *(row[np.newaxis] for row in self._pending.values()))
            )
        ]
        return np.array(kept).reshape(-1, self._encoder.size)

    def _first_new(self, vectors: Array, rng: np.random.Generator) -> FormattedParameters:
        """Returns the parameters of the first vector that is new, or random ones."""
        new = self._new_ones(vectors)
        return self._encoder.decode(new[0]) if len(new) else suggest(rng, self._space)

    def _take_space(self, search_space: SearchSpace) -> None:
        self._space = format_search_space(search_space)
        self._encoder = Encoder(self._space)
        self._deduplicator = Deduplicator(self._space)
        self._history = History(self._encoder.size)
        self._known: list[tuple[Parameters, float]] = []
        self._pending = {}
        self._running: dict[int, Parameters] = {}

    def _start(self, parameter_id: int, parameters: Parameters) -> None:
        self._running[parameter_id] = parameters
        self._pending[parameter_id] = self._encoder.encode(self._note(parameters))

    def _forget(self, parameter_id: int) -> bool:
        self._running.pop(parameter_id, None)
        return self._pending.pop(parameter_id, None) is not None

    def _note(self, parameters: Parameters) -> FormattedParameters:
        """Notes parameters as proposed, and returns what of them is of the search space."""
        chosen = format_known_parameters(parameters, self._space)
        self._deduplicator.add_history(chosen)
        return chosen

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        """Learns a result; returns False if the parameters have nothing of the search space."""
        chosen = self._note(parameters)
        if not chosen:
            return False
        self._known.append((parameters, loss))
        self._history.append(self._encoder.encode(chosen), loss)
        return True


@cache
def _threads() -> ThreadpoolController:
    return ThreadpoolController()
