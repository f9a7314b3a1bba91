"""Bayesian linear regression on the last hidden layer of a neural network.

Snoek et al., "Scalable Bayesian Optimization Using Deep Neural Networks", ICML 2015 (DNGO).
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import log_ndtr
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import BayesianRidge
from sklearn.neural_network import MLPRegressor

from nni_manager.algorithms.parzen.dimensions import Array

_LAYERS = (50, 50, 50)
_DECAY = 1e-3
_SPREAD = 2.0


class BasisNetwork:
    """A network of three layers of 50 tanh units that learned results; its last layer are the features.

    Args:
        vectors: The points, of numbers from 0 to 1, one a row.
        targets: Their results, of mean 0 and variance 1.
        epochs: How often it sees them all, at most.
        seed: The seed of the weights.
    """

    def __init__(self, vectors: Array, targets: Array, epochs: int, seed: int) -> None:
        network = MLPRegressor(
            hidden_layer_sizes=_LAYERS,
            activation="tanh",
            solver="lbfgs",
            alpha=_DECAY,
            max_iter=epochs,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # The number of epochs is what was asked for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(_centred(vectors), targets)
        self._layers = list(zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True))

    def features(self, vectors: Array) -> Array:
        """Returns the features of points, and a 1 for each."""
        values = _centred(vectors)
        for weights, biases in self._layers:
            values = np.tanh(values @ weights + biases)
        return np.append(values, np.ones((len(values), 1)), axis=1)


class LinearPosterior:
    """What a Bayesian linear regression says after some results; its two precisions are the most likely ones.

    Args:
        features: The features of the points, one a row.
        targets: Their results.
        running: The features of points whose results are not known yet. They count as what is expected of
            them, which makes only the uncertainty there smaller.
    """

    def __init__(self, features: Array, targets: Array, running: Array) -> None:
        self._regression = BayesianRidge(fit_intercept=False).fit(features, targets)
        if len(running):
            expected = self._regression.predict(running)
            self._regression.fit(np.concatenate([features, running]), np.concatenate([targets, expected]))

    def mean_and_deviation(self, features: Array) -> tuple[Array, Array]:
        """Returns the expected results, and the standard deviations without noise."""
        variance = (features @ self._regression.sigma_ * features).sum(axis=1)
        return self._regression.predict(features), np.sqrt(np.maximum(variance, 1e-12))


def log_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Returns the logarithm of the expected improvement over the best result."""
    z = (best - mean) / deviation
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    improvement = deviation * (z * np.exp(log_ndtr(z)) + density)
    logarithm: Array = np.log(np.maximum(improvement, 1e-300))
    return logarithm


def _centred(vectors: Array) -> Array:
    return _SPREAD * (2 * vectors - 1)
