"""How likely a mixture of kernels makes a point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.kernels import Kernels, prior_log_density


@dataclass(frozen=True)
class Mixture:
    """Kernels with weights, and the distribution of the search space as one more of them.

    Attributes:
        dimensions: The search space.
        parts: The kernels, and a weight for each.
        prior_weight: The weight of the distribution of the search space.
    """

    dimensions: Dimensions
    parts: tuple[tuple[Kernels, Array], ...]
    prior_weight: float

    def log_density(self, points: Array) -> Array:
        """Returns the logarithm of the density at each point."""
        log_prior = prior_log_density(self.dimensions, points)
        log_kernels = [kernels.log_densities(points) for kernels, _ in self.parts if kernels.count]
        weights = [weights for kernels, weights in self.parts if kernels.count]
        top = np.max([log_prior, *(block.max(axis=1) for block in log_kernels)], axis=0)
        total = self.prior_weight * np.exp(log_prior - top)
        for block, block_weights in zip(log_kernels, weights, strict=True):
            block -= top[:, None]
            total += np.exp(block, out=block) @ block_weights
        result: Array = top + np.log(total / (self.prior_weight + sum(w.sum() for w in weights)))
        return result
