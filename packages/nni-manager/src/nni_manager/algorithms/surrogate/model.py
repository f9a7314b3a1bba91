"""A Gaussian process of finished and running trials."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.surrogate.gaussian_process import Kernel, Posterior, estimate_kernel
from nni_manager.algorithms.surrogate.observations import bounded_subset, standardised

MOST_TRIALS = 300
"""The model is of so many finished trials at most."""
MOST_FOR_KERNEL = 150
"""Its kernel is estimated from so many at most."""
_EVERY_TRIAL = 20
_STEP = 1.1
_MOST_NU = 15


class Fitted(NamedTuple):
    """A Gaussian process of the results so far.

    Attributes:
        kernel: Its kernel.
        posterior: What it says, about losses with mean 0 and variance 1.
        vectors: The finished trials that it is of.
        targets: Their losses.
        running: The running trials.
        best: The lowest loss that it expects of any of these.
        deviation: The standard deviation that the losses were divided by.
    """

    kernel: Kernel
    posterior: Posterior
    vectors: Array
    targets: Array
    running: Array
    best: float
    deviation: float


class Model:
    """Makes Gaussian processes of a growing history.

    The kernel is estimated anew with every result up to 20 and with every 10 % more after that, always from
    the first results alone that it is due for. So it is a function of the history, whenever it is asked for.

    Args:
        nu: See Kernel.
        alpha: What is added to the diagonal of the kernel matrix.
    """

    def __init__(self, nu: float, alpha: float) -> None:
        # Above this the covariance is beyond every float at small distances, and all but the limit elsewhere.
        self._nu = nu if nu <= _MOST_NU else math.inf
        # The matrix of points that came twice has no inverse otherwise.
        self._alpha = max(alpha, 1e-10)
        self._known: tuple[int, Kernel] | None = None

    def fit(self, history: History, pending: Iterable[Array]) -> Fitted:
        """Returns the Gaussian process of a history that has results.

        Running trials are taken to end with the result that is expected of them (kriging believer;
        Ginsbourger, Le Riche and Carraro, "Kriging Is Well-Suited to Parallelize Optimization", 2010).

        Args:
            history: The finished trials. It is always the same one, that has grown.
            pending: The running ones.
        """
        kernel = self._kernel(history)
        subset = bounded_subset(history.losses, MOST_TRIALS)
        vectors = history.rows[subset]
        targets, deviation = standardised(history.losses[subset])
        posterior = Posterior(kernel, vectors, targets, self._alpha)
        best = float(posterior.mean(vectors).min())
        running = np.array(list(pending)).reshape(-1, vectors.shape[1])
        if len(running):
            believed = posterior.mean(running)
            best = min(best, float(believed.min()))
            posterior = Posterior(
                kernel,
                np.concatenate([vectors, running]),
                np.concatenate([targets, believed]),
                self._alpha,
            )
        return Fitted(kernel, posterior, vectors, targets, running, best, deviation)

    def _kernel(self, history: History) -> Kernel:
        due = history.count
        if due > _EVERY_TRIAL:
            due = max(_EVERY_TRIAL, math.floor(_STEP ** math.floor(math.log(due, _STEP))))
        if self._known is None or self._known[0] != due:
            losses = history.losses[:due]
            subset = bounded_subset(losses, MOST_FOR_KERNEL)
            targets, _ = standardised(losses[subset])
            self._known = due, estimate_kernel(history.rows[subset], targets, self._nu, self._alpha)
        return self._known[1]
