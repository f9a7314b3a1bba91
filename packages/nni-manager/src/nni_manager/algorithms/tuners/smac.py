"""Sequential model-based algorithm configuration."""

from __future__ import annotations

import numpy as np

from nni_manager.algorithms.forest.local_search import climb
from nni_manager.algorithms.forest.model import Columns, Forest
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.surrogate.observations import bounded_subset
from nni_manager.algorithms.surrogate.tuner import SurrogateTuner
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.algorithms.typehint import Parameters, SearchSpace

_COLD_START = 10
_MOST_TRIALS = 1000
_RANDOM_SHARE = 0.2
_RANDOM_POINTS = 2000
_STARTS = 10


class SMACTuner(SurrogateTuner):
    """Proposes points where a random forest expects much.

    Hutter, Hoos and Leyton-Brown, "Sequential Model-Based Optimization for General Algorithm Configuration",
    LION 2011; Lindauer et al., "SMAC3", JMLR 2022. The random forest is that of the package smac. Its own
    loop is not used: it goes on differently after it was made anew. So the forest is made for each suggestion
    from the results, and the point of the largest expected improvement is looked for among random ones and
    with a local search from the best. After 10 results every fifth suggestion is random, as in SMAC3.

    A parameter in an option of a choice is conditional. A trial that runs counts as one with the mean of the
    results (a constant liar). Only results of parameters that are whole are learned from. Of more than 1,000
    results the best, the newest, and some of the others are used. The search space cannot change while it
    runs.

    Args:
        optimize_mode: "minimize" or "maximize".
        config_dedup: Accepted as NNI does, and of no effect: no parameters come twice where they might.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self, optimize_mode: str = "maximize", config_dedup: bool = False, seed: int | None = None
    ) -> None:
        self._search_space: SearchSpace | None = None
        super().__init__(optimize_mode, _COLD_START, seed)

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space.

        Raises:
            ValueError: There is another one already.
        """
        if self._search_space is None:
            self._take_space(search_space)
            self._search_space = search_space
        elif self._search_space != search_space:
            raise ValueError("SMAC cannot change its search space while it runs")

    def _take_space(self, search_space: SearchSpace) -> None:
        super()._take_space(search_space)
        self._dimensions = Dimensions(self._space)
        self._rows = History(len(self._space))
        self._columns: Columns | None = None

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        chosen = format_known_parameters(parameters, self._space)
        if any(key not in chosen for key, spec in self._space.items() if spec.is_activated_in(chosen)):
            return False
        self._rows.append(self._dimensions.encode(chosen), loss)
        return super()._learn(parameters, loss)

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        if rng.uniform() < _RANDOM_SHARE or all(spec.is_fixed() for spec in self._space.values()):
            return suggest(rng, self._space)
        subset = bounded_subset(self._rows.losses, _MOST_TRIALS)
        rows, losses = self._rows.rows[subset], self._rows.losses[subset]
        forest = self._forest(rows, losses, int(rng.integers(2**31)))

        points = self._dimensions.deactivate(self._dimensions.draw(rng, _RANDOM_POINTS))
        values = forest.improvement(points)
        starts = [
            rows[np.argsort(-forest.improvement(rows), kind="stable")[:_STARTS]],
            points[np.argsort(-values, kind="stable")[:_STARTS]],
        ]
        found, of_found = climb(forest.improvement, self._dimensions, rng, np.concatenate(starts))
        order = np.argsort(-np.concatenate([of_found, values]), kind="stable")[: 4 * _STARTS]
        candidates = [self._dimensions.decode(row) for row in np.concatenate([found, points])[order]]
        return next(filter(self._deduplicator.is_new, candidates), candidates[0])

    def _forest(self, rows: Array, losses: Array, seed: int) -> Forest:
        """Returns the forest of results and of what is running."""
        if self._columns is None:
            self._columns = Columns(self._dimensions, self._space)
        running = [
            self._dimensions.encode(format_known_parameters(parameters, self._space))
            for parameters in self._running.values()
        ]
        return Forest(self._columns, rows, losses, np.array(running).reshape(-1, len(self._space)), seed)
