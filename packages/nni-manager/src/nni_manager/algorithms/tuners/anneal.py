"""Annealing: search in shrinking neighbourhoods of good points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.parzen.row_tuner import RowTuner
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.tuners.random import suggest

_AVERAGE_BEST_INDEX = 2.0
_SHRINKING = 0.1
_RESULTS_BEFORE_LIARS = 20
_DRAWS = 20
Indices = npt.NDArray[np.intp]

_LIARS: dict[str, Callable[[Array], Any]] = {"min": np.min, "max": np.max, "mean": np.mean}


class AnnealTuner(RowTuner):
    """Draws near one of the best points, the nearer the more is known.

    Hyperopt's annealing (J. Bergstra, hyperopt/anneal.py): the trials are sorted by their results and one of
    them is picked, the k-th best with a geometric distribution of mean 2. Each parameter is drawn from its
    own distribution, but concentrated around its value in that trial: with T results that have the parameter
    and s = 1 / (1 + 0.1 T), a uniform one from a range that is s times as wide (moved to lie within the
    bounds), a normal one with s times the deviation, and a choice keeps its option with probability 1 - s. If
    the trials picked so far do not have the parameter, since they have other options of a choice, one more is
    picked of those that do. The first trials are random.

    Failed trials, NaN, imported, late and doubled results, finite search spaces: see RowTuner.

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
        super().__init__(optimize_mode, seed)
        self._parallel_optimize = parallel_optimize
        self._liar = _LIARS[constant_liar_type]

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        rows, losses = self._known()
        if len(rows) == 0:
            return suggest(rng, self._space)
        by_loss = np.argsort(losses, kind="stable")
        counts = len(rows) - np.isnan(rows).sum(axis=0)
        for _ in range(_DRAWS):
            chosen = self._dimensions.decode(self._draw(rng, rows, by_loss, counts))
            if self._deduplicator.is_new(chosen):
                break
        return chosen

    def _known(self) -> tuple[Array, Array]:
        """Returns the rows and losses of the trials that have a result or count as such."""
        rows, losses = self._history.rows, self._history.losses
        if not (self._parallel_optimize and self._pending and self._history.count > _RESULTS_BEFORE_LIARS):
            return rows, losses
        sign = -1.0 if self._mode is OptimizeMode.Maximize else 1.0
        finite = sign * losses[np.isfinite(losses)]
        with np.errstate(over="ignore"):
            lie = sign * float(self._liar(finite)) if len(finite) else np.inf
        return (
            np.concatenate([rows, list(self._pending.values())]),
            np.concatenate([losses, np.full(len(self._pending), lie)]),
        )

    def _draw(self, rng: np.random.Generator, rows: Array, by_loss: Indices, counts: Indices) -> Array:
        """Returns a new row.

        Args:
            rng: Random numbers.
            rows: Those of the trials.
            by_loss: Their indices, that of the best first.
            counts: How many of them have each parameter.
        """
        row: Array = self._dimensions.draw(rng, 1)[0]
        picked = [rows[_pick(rng, by_loss)]]
        for index, column in enumerate(self._dimensions.columns):
            if any(row[parent] != option for parent, option in column.conditions):
                row[index] = np.nan
                continue
            if counts[index] == 0:
                continue
            center = next((trial[index] for trial in picked if not np.isnan(trial[index])), None)
            if center is None:
                picked.append(rows[_pick(rng, by_loss[~np.isnan(rows[by_loss, index])])])
                center = picked[-1][index]
            shrunk = 1.0 / (1.0 + _SHRINKING * counts[index])
            if column.option_count:
                if rng.uniform() >= shrunk:
                    row[index] = center
            elif column.is_bounded:
                low = min(max(center - shrunk / 2, 0.0), 1.0 - shrunk)
                row[index] = rng.uniform(low, low + shrunk)
            else:
                row[index] = rng.normal(center, shrunk)
        return row


def _pick(rng: np.random.Generator, by_loss: Indices) -> int:
    """Returns one of the first indices."""
    return int(by_loss[min(int(rng.geometric(1.0 / _AVERAGE_BEST_INDEX)), len(by_loss)) - 1])
