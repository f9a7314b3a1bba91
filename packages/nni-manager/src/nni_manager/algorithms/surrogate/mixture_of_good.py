"""Points that are likely among good trials and unlikely among the others, by Gaussian mixtures."""

from __future__ import annotations

import math
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.surrogate.encoder import Encoder

_GOOD_SHARE = 0.34
_MOST_COMPONENTS = 5
_SMALLEST_VARIANCE = 1e-4


def likely_good(
    encoder: Encoder, rng: np.random.Generator, vectors: Array, losses: Array, count: int
) -> Array:
    """Returns points of the mixture of the good third of trials, those first that the others' lacks most.

    Args:
        encoder: The search space.
        rng: Random numbers.
        vectors: The finished trials, six or more.
        losses: Their losses.
        count: How many points to draw.
    """
    ranking = np.argsort(losses, kind="stable")
    good_count = math.ceil(_GOOD_SHARE * len(losses))
    good = _mixture(vectors[ranking[:good_count]], rng)
    others = _mixture(vectors[ranking[good_count:]], rng)
    points = np.clip(good.sample(count)[0], 0.0, 1.0)
    order = np.argsort(others.score_samples(points) - good.score_samples(points), kind="stable")
    snapped: Array = encoder.snap(points[order[:20]])
    return snapped


def _mixture(vectors: Array, rng: np.random.Generator) -> GaussianMixture:
    # Diagonal matrices can be had of few points in many columns.
    mixture = GaussianMixture(
        min(_MOST_COMPONENTS, math.ceil(len(vectors) / 4)),
        covariance_type="diag",
        reg_covar=_SMALLEST_VARIANCE,
        random_state=int(rng.integers(2**31)),
    )
    with warnings.catch_warnings():
        # Trials may be at fewer places than there are components, which makes some components equal.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(vectors)
