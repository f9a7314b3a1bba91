"""Gaussian process regression with a Matern kernel, and the gradients of its predictions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from scipy.special import gamma, kv
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nni_manager.algorithms.parzen.dimensions import Array

MOST_LENGTH_SCALES = 20
"""With more columns than this they share one length scale."""
_OPTIONS = {"maxiter": 50}
_EPSILON = 1e-12
_LENGTH_SCALES = (0.01, 1000.0)
_AMPLITUDES = (0.01, 1000.0)
_NOISES = (1e-6, 1.0)
_SCALE, _SCALE_DEVIATION = 0.4, 0.7
_AMPLITUDE_DEVIATION = 1.0
_NOISE, _NOISE_DEVIATION = math.exp(-8.0), 2.0


class Kernel(NamedTuple):
    """The parameters of a kernel: amplitude * Matern(nu, length_scale) + noise on the diagonal.

    Attributes:
        nu: How smooth the function is: it can be derived so often, rounded up and less one.
        amplitude: The variance of the function.
        length_scale: How far its values are related, one for all columns or one for each.
        noise: The variance of the results at one point.
    """

    nu: float
    amplitude: float
    length_scale: Array
    noise: float

    def of_sklearn(self) -> Any:
        """Returns the kernel as scikit-learn has it."""
        return ConstantKernel(self.amplitude, _AMPLITUDES) * Matern(
            self.length_scale, _LENGTH_SCALES, nu=self.nu
        ) + WhiteKernel(self.noise, _NOISES)


def estimate_kernel(vectors: Array, targets: Array, nu: float, alpha: float) -> Kernel:
    """Returns the most likely kernel after some results, by the marginal likelihood and a prior.

    The prior keeps few results from making parameters irrelevant. The length scales that it expects grow with
    the square root of the number of columns, as distances do (Hvarfner et al., "Vanilla Bayesian Optimization
    Performs Great in High Dimensions", ICML 2024).

    Args:
        vectors: The points, one a row.
        targets: Their results, of mean 0 and variance 1.
        nu: See Kernel.
        alpha: What is added to the diagonal of the kernel matrix.
    """
    columns = vectors.shape[1]
    count = columns if columns <= MOST_LENGTH_SCALES else 1
    expected = _SCALE * math.sqrt(columns)
    means = np.log([1.0, *[expected] * count, _NOISE])
    deviations = np.array([_AMPLITUDE_DEVIATION, *[_SCALE_DEVIATION] * count, _NOISE_DEVIATION])

    def most_likely(objective: Callable[..., Any], start: Array, bounds: Array) -> tuple[Array, float]:
        def with_prior(theta: Array) -> tuple[float, Array]:
            value, gradient = objective(theta)
            offset = (theta - means) / deviations
            return value + 0.5 * float(offset @ offset), gradient + offset / deviations

        result = minimize(with_prior, start, method="L-BFGS-B", jac=True, bounds=bounds, options=_OPTIONS)
        return result.x, result.fun

    start = Kernel(nu, 1.0, np.full(count, expected), _NOISE)
    regressor = GaussianProcessRegressor(start.of_sklearn(), alpha=alpha, optimizer=most_likely)
    with warnings.catch_warnings():
        # A parameter that is at its bound is as it should be: the noise of results that have none.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = regressor.fit(vectors, targets).kernel_
    product, white = fitted.k1, fitted.k2
    scales = np.atleast_1d(product.k2.length_scale)
    return Kernel(nu, float(product.k1.constant_value), scales, float(white.noise_level))


class Posterior:
    """What a Gaussian process says after some results.

    Args:
        kernel: Its kernel.
        vectors: The points, one a row.
        targets: Their results.
        alpha: What is added to the diagonal of the kernel matrix.

    Attributes:
        count: How many results.
    """

    def __init__(self, kernel: Kernel, vectors: Array, targets: Array, alpha: float) -> None:
        regressor = GaussianProcessRegressor(kernel.of_sklearn(), alpha=alpha, optimizer=None)
        regressor.fit(vectors, targets)
        self.count = len(vectors)
        self._kernel = kernel
        self._scaled = vectors / kernel.length_scale
        self._weights = regressor.alpha_
        self._inverse_root = solve_triangular(regressor.L_, np.eye(len(vectors)), lower=True)

    def covariance(self, points: Array, others: Array) -> Array:
        """Returns the covariances of points, the rows, with others, the columns."""
        scale = self._kernel.length_scale
        prior = self._covariances(cdist(points / scale, others / scale))
        roots = self._covariances(self._distances(points)) @ self._inverse_root.T
        other_roots = self._covariances(self._distances(others)) @ self._inverse_root.T
        covariance: Array = prior - roots @ other_roots.T
        return covariance

    def mean(self, points: Array) -> Array:
        """Returns the expected results at points."""
        mean: Array = self._covariances(self._distances(points)) @ self._weights
        return mean

    def mean_and_deviation(self, points: Array) -> tuple[Array, Array]:
        """Returns the expected results at points, and the standard deviations without noise."""
        covariances = self._covariances(self._distances(points))
        roots = covariances @ self._inverse_root.T
        return covariances @ self._weights, self._deviation(roots)

    def with_gradients(self, points: Array) -> tuple[Array, Array, Array, Array]:
        """Returns what `mean_and_deviation` does, and the gradients of the two, one a row."""
        distances = self._distances(points)
        covariances = self._covariances(distances)
        slopes = self._kernel.amplitude * _matern_slope(distances, self._kernel.nu)
        roots = covariances @ self._inverse_root.T
        deviation = self._deviation(roots)
        mean_gradient = self._gradient(points, slopes * self._weights)
        variance_gradient = self._gradient(points, slopes * (roots @ self._inverse_root) * -2)
        return (
            covariances @ self._weights,
            deviation,
            mean_gradient,
            variance_gradient / (2 * deviation[:, np.newaxis]),
        )

    def _distances(self, points: Array) -> Array:
        distances: Array = cdist(points / self._kernel.length_scale, self._scaled)
        return distances

    def _covariances(self, distances: Array) -> Array:
        covariances: Array = self._kernel.amplitude * _matern(distances, self._kernel.nu)
        return covariances

    def _deviation(self, roots: Array) -> Array:
        variance = self._kernel.amplitude - np.einsum("ij,ij->i", roots, roots)
        # Rounding may leave less than nothing where a result is known.
        deviation: Array = np.sqrt(np.maximum(variance, 1e-10))
        return deviation

    def _gradient(self, points: Array, weights: Array) -> Array:
        """Returns the gradient of the sum of kernels with weights that hold their slopes."""
        scaled = points / self._kernel.length_scale
        difference = weights.sum(axis=1, keepdims=True) * scaled - weights @ self._scaled
        gradient: Array = -difference / self._kernel.length_scale
        return gradient


def _matern(distances: Array, nu: float) -> Array:
    """Returns the Matern covariance at scaled distances (Rasmussen and Williams, equation 4.14)."""
    if nu == math.inf:
        covariance: Array = np.exp(-0.5 * distances**2)
        return covariance
    scaled = np.maximum(math.sqrt(2 * nu) * distances, _EPSILON)
    if nu == 0.5:
        covariance = np.exp(-scaled)
    elif nu == 1.5:
        covariance = (1 + scaled) * np.exp(-scaled)
    elif nu == 2.5:
        covariance = (1 + scaled + scaled**2 / 3) * np.exp(-scaled)
    else:
        covariance = 2 ** (1 - nu) / gamma(nu) * scaled**nu * kv(nu, scaled)
    return covariance


def _matern_slope(distances: Array, nu: float) -> Array:
    """Returns minus the derivative of the covariance by the distance, divided by the distance."""
    if nu == math.inf:
        slope: Array = np.exp(-0.5 * distances**2)
        return slope
    scaled = np.maximum(math.sqrt(2 * nu) * distances, _EPSILON)
    if nu == 0.5:
        slope = np.exp(-scaled) / scaled
    elif nu == 1.5:
        slope = 3 * np.exp(-scaled)
    elif nu == 2.5:
        slope = 5 / 3 * (1 + scaled) * np.exp(-scaled)
    else:
        slope = 4 * nu * 2**-nu / gamma(nu) * scaled ** (nu - 1) * kv(nu - 1, scaled)
    return slope
