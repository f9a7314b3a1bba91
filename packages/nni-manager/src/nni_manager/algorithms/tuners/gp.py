"""Bayesian optimisation with Gaussian processes."""

from __future__ import annotations

import numpy as np

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.surrogate.acquisition import Acquisition
from nni_manager.algorithms.surrogate.candidates import most_promising
from nni_manager.algorithms.surrogate.model import Model
from nni_manager.algorithms.surrogate.tuner import SurrogateTuner
from nni_manager.algorithms.typehint import SearchSpace

_CENTERS = 5


class GPTuner(SurrogateTuner):
    """Proposes the point that is worth most under a Gaussian process of the results.

    Snoek, Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NIPS 2012.
    The Gaussian process is scikit-learn's, with a Matern kernel that has a length scale for every column of
    the encoded search space (one for all beyond 20 columns) and learns how noisy the results are. Every
    parameter is scaled to 0..1 and options are columns of 0 and 1, so every search space will do.

    Trials that run count with the result that is expected of them. Of more than 300 results the best, the
    newest, and ones spread over the ranking of the others are used, a third each.

    Args:
        optimize_mode: "minimize" or "maximize".
        utility: What a point is worth: "ei" is the expected improvement over the best, "poi" the probability
            of one, "ucb" the expected result and `kappa` standard deviations more.
        kappa: See `utility`; the larger, the more is explored.
        xi: By how much a result has to be better to count as improvement for "ei" and "poi".
        nu: How smooth the function is taken to be: 0.5, 1.5, 2.5 and infinity are fast to compute.
        alpha: What is added to the diagonal of the kernel matrix, in units of the variance of the results.
        cold_start_num: How many results there have to be before the model is used.
        selection_num_warm_up: How many points are compared first, at most; half are random, half near the
            best ones. There are fewer when the model or the search space is large.
        selection_num_starting_points: From how many of the best of these L-BFGS-B goes on, at most; 0 for
            none.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        utility: str = "ei",
        kappa: float = 5,
        xi: float = 0,
        nu: float = 2.5,
        alpha: float = 1e-6,
        cold_start_num: int = 10,
        selection_num_warm_up: int = 100_000,
        selection_num_starting_points: int = 250,
        seed: int | None = None,
    ) -> None:
        if utility not in ("ei", "poi", "ucb"):
            raise ValueError(f"utility is {utility!r}; it should be 'ei', 'ucb' or 'poi'")
        self._utility, self._kappa, self._xi = utility, kappa, xi
        self._nu, self._alpha = nu, alpha
        self._warm_up, self._starting_points = selection_num_warm_up, selection_num_starting_points
        super().__init__(optimize_mode, cold_start_num, seed)

    def _take_space(self, search_space: SearchSpace) -> None:
        super()._take_space(search_space)
        self._model = Model(self._nu, self._alpha)

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        fitted = self._model.fit(self._history, self._pending.values())
        worth = Acquisition(
            self._utility,
            fitted.posterior,
            fitted.best,
            self._kappa,
            self._xi / fitted.deviation,
        )
        centers = fitted.vectors[np.argsort(fitted.targets, kind="stable")[:_CENTERS]]
        found = most_promising(worth, self._encoder, rng, centers, self._warm_up, self._starting_points)
        return self._first_new(found, rng)
