"""What makes a point worth a trial: the larger the better, with gradients; results are minimised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx, log_ndtr

from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.surrogate.gaussian_process import Posterior

_LOG_ROOT_2_PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Acquisition:
    """An acquisition function.

    Attributes:
        utility: "ei" (expected improvement), "poi" (probability of improvement) or "ucb" (confidence bound).
            Logarithms are taken of the first two, which changes no order and keeps gradients where the
            functions are almost 0 (Ament et al., "Unexpected Improvements to Expected Improvement", 2023).
        posterior: What is known about the function.
        best: The best result so far.
        kappa: How many standard deviations "ucb" adds.
        xi: By how much a result has to be better for "ei" and "poi".
    """

    utility: str
    posterior: Posterior
    best: float
    kappa: float
    xi: float

    @property
    def width(self) -> int:
        """The number of trials that the function is made of."""
        return self.posterior.count

    def __call__(self, points: Array) -> Array:
        """Returns the values at points."""
        mean, deviation = self.posterior.mean_and_deviation(points)
        if self.utility == "ucb":
            return self.kappa * deviation - mean
        z = (self.best - self.xi - mean) / deviation
        return log_ndtr(z) if self.utility == "poi" else np.log(deviation) + _log_improvement(z)

    def with_gradient(self, points: Array) -> tuple[Array, Array]:
        """Returns the values at points and their gradients, one a row."""
        mean, deviation, mean_gradient, deviation_gradient = self.posterior.with_gradients(points)
        if self.utility == "ucb":
            return self.kappa * deviation - mean, self.kappa * deviation_gradient - mean_gradient
        z = (self.best - self.xi - mean) / deviation
        log_density, log_chance = -0.5 * z**2 - _LOG_ROOT_2_PI, log_ndtr(z)
        if self.utility == "poi":
            value = log_chance
            by_z = np.exp(log_density - log_chance) / deviation
            by_mean, by_deviation = -by_z, -by_z * z
        else:
            log_improvement = _log_improvement(z)
            value = np.log(deviation) + log_improvement
            by_mean = -np.exp(log_chance - log_improvement) / deviation
            by_deviation = np.exp(log_density - log_improvement) / deviation
        return value, by_mean[:, np.newaxis] * mean_gradient + by_deviation[
            :, np.newaxis
        ] * deviation_gradient


def _log_improvement(z: Array) -> Array:
    """Returns log(density(z) + z * chance(z)) of the standard normal distribution, also far below 0."""
    near = np.maximum(z, -1.0)
    of_near = np.log(np.exp(-0.5 * near**2 - _LOG_ROOT_2_PI) + near * np.exp(log_ndtr(near)))
    far = np.minimum(z, -1.0)
    # 1 + z * chance / density, which falls to 1 / z^2.
    rest = 1 + far * np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2))
    of_far = -0.5 * far**2 - _LOG_ROOT_2_PI + np.log(np.maximum(rest, 0.5 / (1 + far**2)))
    improvement: Array = np.where(z > -1.0, of_near, of_far)
    return improvement
