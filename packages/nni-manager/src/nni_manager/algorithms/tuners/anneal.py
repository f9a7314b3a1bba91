"""Annealing: search in shrinking neighbourhoods of good points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.results import OptimizeMode, loss_of
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric

_AVERAGE_BEST_INDEX = 2.0
_SHRINKING = 0.1
_RESULTS_BEFORE_LIARS = 20
_DRAWS = 20
_LIARS: dict[str, Callable[[Array], Any]] = {"min": np.min, "max": np.max, "mean": np.mean}


class AnnealTuner(BuiltInTuner):
    """Draws near one of the best points, the nearer the more is known.

    Hyperopt's annealing (J. Bergstra, hyperopt/anneal.py): the trials are sorted by their results and one of
    them is picked, the k-th best with a geometric distribution of mean 2. Each parameter is drawn from its
    own distribution, but concentrated around its value in that trial: with T results that have the parameter
    and s = 1 / (1 + 0.1 T), a uniform one from a range that is s times as wide (moved to lie within the
    bounds), a normal one with s times the deviation, and a choice keeps its option with probability 1 - s. If
    the trial does not have the parameter, since it has another option of a choice, the next trial is picked
    of those that do. The first trials are random.

    Failed and stopped trials without a result are not learned from; a result of NaN is the worst there is.
    Imported results and those of parameters that a user chose are learned from. Results of trials that are
    not running, and second results of one, are logged and ignored. In a finite search space no parameters
    come twice, and NoMoreTrialError is raised once all were proposed.

    Args:
        optimize_mode: "minimize" or "maximize".
        parallel_optimize: Whether running trials count as trials with a result, once there are more than 20.
        constant_liar_type: Which result that is: the "min", the "max" or the "mean" of all reported results.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        optimize_mode: str = "minimize",
        parallel_optimize: bool = False,
        constant_liar_type: str = "min",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        self._mode = OptimizeMode(optimize_mode)
        self._parallel_optimize = parallel_optimize
        self._liar = _LIARS[constant_liar_type]
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
        """Returns parameters near those of a good trial.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        rng = self._rng(parameter_id)
        rows, losses = self._known()
        by_loss = rows[np.argsort(losses, kind="stable")]
        for _ in range(_DRAWS):
            chosen = self._dimensions.decode(self._draw(rng, by_loss))
            if self._deduplicator.is_new(chosen):
                break
        parameters = deformat_parameters(self._deduplicator(chosen), self._space)
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
        was_pending = parameter_id is not None and self._pending.pop(parameter_id, None) is not None
        if not (parameter_id is None or was_pending or kwargs.get("customized")):
            self._ignore(result_name(parameter_id), "no such trial is running")
        elif not self._learn(parameters, loss):
            self._ignore(result_name(parameter_id), f"nothing of {parameters!r} is in the search space")

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Forgets a trial that ended without a result."""
        if parameter_id is not None:
            self._pending.pop(parameter_id, None)

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

    def _known(self) -> tuple[Array, Array]:
        """Returns the rows and losses of the trials that have a result or count as such."""
        rows, losses = self._history.rows, self._history.losses
        if not (self._parallel_optimize and self._pending and self._history.count > _RESULTS_BEFORE_LIARS):
            return rows, losses
        sign = -1.0 if self._mode is OptimizeMode.Maximize else 1.0
        finite = sign * losses[np.isfinite(losses)]
        lie = sign * float(self._liar(finite)) if len(finite) else np.inf
        return (
            np.concatenate([rows, list(self._pending.values())]),
            np.concatenate([losses, np.full(len(self._pending), lie)]),
        )

    def _draw(self, rng: np.random.Generator, by_loss: Array) -> Array:
        """Returns a new row, given those of the trials, the best first."""
        row = self._dimensions.draw(rng, 1)
        picked = _pick(rng, by_loss)
        counts = len(by_loss) - np.isnan(by_loss).sum(axis=0)
        for index, column in enumerate(self._dimensions.columns):
            if any(row[0, parent] != option for parent, option in column.conditions):
                row[0, index] = np.nan
                continue
            if counts[index] == 0:
                continue
            if np.isnan(picked[index]):
                picked = _pick(rng, by_loss[~np.isnan(by_loss[:, index])])
            shrunk, center = 1.0 / (1.0 + _SHRINKING * counts[index]), picked[index]
            if column.option_count:
                if rng.uniform() >= shrunk:
                    row[0, index] = center
            elif column.is_bounded:
                low = min(max(center - shrunk / 2, 0.0), 1.0 - shrunk)
                row[0, index] = rng.uniform(low, low + shrunk)
            else:
                row[0, index] = rng.normal(center, shrunk)
        return np.asarray(row[0])


def _pick(rng: np.random.Generator, by_loss: Array) -> Array:
    """Returns one of the best rows."""
    if len(by_loss) == 0:
        return np.empty(0)
    return np.asarray(by_loss[min(int(rng.geometric(1.0 / _AVERAGE_BEST_INDEX)) - 1, len(by_loss) - 1)])
