"""The tree-structured Parzen estimator."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.parzen.kernels import Kernels
from nni_manager.algorithms.parzen.mixture import Mixture
from nni_manager.algorithms.parzen.row_tuner import RowTuner
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.algorithms.typehint import SearchSpace

# Measured with tools/benchmark_tuners.py and eleven other functions: wider kernels refine less, narrower ones
# miss the better of several optima.
_WIDTH = 0.07
_NARROWEST = 0.01
_SPREAD = 2.0
_WIDTH_STEP = 1.05


class TpeArguments(NamedTuple):
    """The settings of TPE, those of NNI's `tpe_args`.

    Attributes:
        constant_liar_type: What running trials count as: "worst" and "mean" count them among the others, so
            that they are kept away from; "best", NNI's default, among the good ones; None leaves them out.
        n_startup_jobs: How many results there have to be before the model is used instead of random search.
        n_ei_candidates: How many points are drawn for each suggestion; the most promising one is taken.
        linear_forgetting: How many of the latest trials have full weight; the weight of older ones falls
            linearly. It is also the largest number of good trials.
        prior_weight: The weight of the search space's own distribution, one trial's being 1.
        gamma: With n results, the best gamma * sqrt(n) are the good trials. NNI's default is 0.25.
    """

    constant_liar_type: str | None = "worst"
    n_startup_jobs: int = 20
    n_ei_candidates: int = 24
    linear_forgetting: int = 25
    prior_weight: float = 1.0
    gamma: float = 0.7


class TpeTuner(RowTuner):
    """Proposes points that are likely among good trials and unlikely among the others.

    Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011: with l and g the densities of
    the good and of the other trials, the expected improvement (equation 2) is greatest where l / g is. Here
    the densities are joint ones over all parameters (Falkner et al., "BOHB", ICML 2018; Watanabe,
    "Tree-Structured Parzen Estimator", 2023), with kernels that are as wide as Scott's rule says. A
    parameter that is not active in a trial, since it belongs to another option of a choice, has the search
    space's distribution there.

    Failed trials, NaN, imported, late and doubled results, finite search spaces: see RowTuner.

    Args:
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
        tpe_args: The fields of TpeArguments.
    """

    def __init__(
        self,
        optimize_mode: str = "minimize",
        seed: int | None = None,
        tpe_args: dict[str, Any] | None = None,
    ) -> None:
        self._arguments = TpeArguments(**(tpe_args or {}))
        super().__init__(optimize_mode, seed)

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        if self._history.count < self._arguments.n_startup_jobs:
            return suggest(rng, self._space)
        return self._best_candidate(rng)

    def _take_space(self, search_space: SearchSpace) -> None:
        super()._take_space(search_space)
        self._kernels = self._new_kernels(1)

    def _best_candidate(self, rng: np.random.Generator) -> FormattedParameters:
        good_rows, good, others = self._densities()
        ((kernels, weights),) = good.parts
        chances = np.append(weights, good.prior_weight)
        count = self._arguments.n_ei_candidates
        picked = rng.choice(len(chances), size=count, p=chances / chances.sum())
        # A row without values stands for the distribution of the search space.
        centers = np.concatenate([good_rows, np.full((1, len(self._space)), np.nan)])[picked]
        points = kernels.draw(rng, centers)
        scores = good.log_density(points) - others.log_density(points)
        candidates = [self._dimensions.decode(points[index]) for index in np.argsort(-scores, kind="stable")]
        return next(filter(self._deduplicator.is_new, candidates), candidates[0])

    def _densities(self) -> tuple[Array, Mixture, Mixture]:
        """Returns the rows of the good trials, their density, and that of the others."""
        arguments, history = self._arguments, self._history
        best_count = min(math.ceil(arguments.gamma * math.sqrt(history.count)), arguments.linear_forgetting)
        best = history.best(best_count)
        pending = np.array(list(self._pending.values())).reshape(-1, len(self._space))
        good_rows = history.rows[best]
        if arguments.constant_liar_type == "best":
            good_rows = np.concatenate([good_rows, pending])
        good_kernels = self._new_kernels(len(good_rows))
        good_kernels.append(good_rows)
        good = (good_kernels, _weights(len(good_rows), arguments.linear_forgetting))

        self._update_kernels()
        weights = _weights(history.count, arguments.linear_forgetting)
        weights[best] = 0.0
        others = [(self._kernels, weights)]
        if arguments.constant_liar_type in ("worst", "mean"):
            pending_kernels = Kernels(self._dimensions, self._kernels.width, self._kernels.spread)
            pending_kernels.append(pending)
            others.append((pending_kernels, np.ones(len(pending))))
        prior = arguments.prior_weight
        return (
            good_rows,
            Mixture(self._dimensions, (good,), prior),
            Mixture(self._dimensions, tuple(others), prior),
        )

    def _update_kernels(self) -> None:
        """Brings the kernels of all finished trials up to date; their width changes in steps of 5 % of n."""
        count = self._history.count
        step = _WIDTH_STEP ** math.floor(math.log(count, _WIDTH_STEP)) if count > 100 else count
        fresh = self._new_kernels(step)
        if (fresh.width, fresh.spread) != (self._kernels.width, self._kernels.spread):
            self._kernels = fresh
        self._kernels.append(self._history.rows[self._kernels.count :])

    def _new_kernels(self, count: float) -> Kernels:
        """Returns kernels, none yet, of the width for a number of trials (Scott's rule)."""
        count = max(count, 1)
        width = _WIDTH * count ** (-1 / (len(self._space) + 4))
        shared = _SPREAD * self._arguments.prior_weight
        return Kernels(self._dimensions, min(max(width, _NARROWEST), 1.0), shared / (shared + count))


def _weights(count: int, full: int) -> Array:
    """Returns the weights of trials, the newest last (linear forgetting)."""
    ramp = np.linspace(1 / count, 1, count - full) if count > full else np.empty(0)
    return np.concatenate([ramp, np.ones(min(count, full))])
