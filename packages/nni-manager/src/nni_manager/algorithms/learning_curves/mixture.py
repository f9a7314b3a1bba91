"""Samples the weights of a mixture of curves by a Markov chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CHAINS = 20
_STEPS = 200
_STEP_SIZE = 0.03
_LEAST_VARIANCE = 1e-8


def sample_weights(curves: Array, values: Array, rise: Array, rng: np.random.Generator) -> Array:
    """Returns weights of curves, a set a row, each above 0 with the sum 1.

    They are samples by Metropolis and Hastings of the posterior that Gaussian noise of the most likely
    variance gives; mixtures that do not rise are impossible, unless the even one does not either.
    Domhan, Springenberg and Hutter, "Speeding up Automatic Hyperparameter Optimization of Deep Neural
    Networks by Extrapolation of Learning Curves", IJCAI 2015, equations 2 to 5.

    Args:
        curves: The value of each curve, a column each, at each observed position, a row each.
        values: What was observed there.
        rise: By how much each curve rises between the first and the last position of interest.
        rng: Random numbers.
    """
    chains, count = _CHAINS, curves.shape[1]
    weights = np.full((chains, count), 1.0 / count)
    must_rise = float(rise.mean()) > 0.0

    def log_posterior(candidates: Array) -> Array:
        squares = np.mean((candidates @ curves.T - values) ** 2, axis=1)
        density = -0.5 * len(values) * np.log(np.maximum(squares, _LEAST_VARIANCE))
        possible = (candidates > 0.0).all(axis=1)
        if must_rise:
            possible &= candidates @ rise > 0.0
        return np.where(possible, density, -np.inf)

    density = log_posterior(weights)
    for _ in range(_STEPS):
        moved = weights + rng.normal(0.0, _STEP_SIZE, weights.shape)
        # Steps stay on the plane of sum 1 and are as likely back as forth.
        moved += (1.0 - moved.sum(axis=1, keepdims=True)) / count
        moved_density = log_posterior(moved)
        accepted = np.log(rng.random(chains)) < moved_density - density
        weights = np.where(accepted[:, None], moved, weights)
        density = np.where(accepted, moved_density, density)
    return weights
