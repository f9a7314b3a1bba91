"""What a trial is expected to teach about the optimum of a Gaussian process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.surrogate.gaussian_process import Posterior

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)


def expected_gains(posterior: Posterior, noise: float, candidates: Array, points: Array) -> Array:
    """Returns by how much a trial at each candidate is expected to lower the lowest prediction.

    A trial's result moves the predictions for all points, in proportion to their covariance with it. The
    lowest of them afterwards is averaged over what the result may be: the knowledge gradient of Frazier,
    Powell and Dayanik, "The Knowledge-Gradient Policy for Correlated Normal Beliefs", 2009.

    Args:
        posterior: What is known.
        noise: The variance of the results at one point.
        candidates: Where a trial may be, one a row.
        points: Where the optimum may be, one a row; the candidates are taken too.
    """
    places = np.concatenate([points, candidates])
    means = posterior.mean(places)
    covariance = posterior.covariance(candidates, places)
    variance = np.maximum(np.diagonal(covariance, len(points)), 1e-10) + noise
    moves = covariance / np.sqrt(variance)[:, np.newaxis]
    lowest = (means + moves[:, np.newaxis, :] * _NODES[:, np.newaxis]).min(axis=2)
    gains: Array = means.min() - lowest @ (_WEIGHTS / _WEIGHTS.sum())
    return gains


@dataclass(frozen=True)
class Lowness:
    """Minus the expected result: largest where the optimum is predicted.

    Attributes:
        posterior: What is known.
    """

    posterior: Posterior

    @property
    def width(self) -> int:
        """The number of trials that the function is made of."""
        return self.posterior.count

    def __call__(self, points: Array) -> Array:
        """Returns the values at points."""
        return -self.posterior.mean(points)

    def with_gradient(self, points: Array) -> tuple[Array, Array]:
        """Returns the values at points and their gradients, one a row."""
        mean, _, gradient, _ = self.posterior.with_gradients(points)
        return -mean, -gradient


@dataclass(frozen=True)
class Uncertainty:
    """The standard deviation of the expected result: largest where a trial teaches most.

    Attributes:
        posterior: What is known.
    """

    posterior: Posterior

    @property
    def width(self) -> int:
        """The number of trials that the function is made of."""
        return self.posterior.count

    def __call__(self, points: Array) -> Array:
        """Returns the values at points."""
        return self.posterior.mean_and_deviation(points)[1]

    def with_gradient(self, points: Array) -> tuple[Array, Array]:
        """Returns the values at points and their gradients, one a row."""
        _, deviation, _, gradient = self.posterior.with_gradients(points)
        return deviation, gradient
