"""Bayesian optimisation with the features of a neural network."""

from __future__ import annotations

import numpy as np

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.surrogate.basis_network import BasisNetwork, LinearPosterior, log_improvement
from nni_manager.algorithms.surrogate.observations import bounded_subset, standardised
from nni_manager.algorithms.surrogate.tuner import SurrogateTuner
from nni_manager.algorithms.typehint import SearchSpace

_MOST_FOR_NETWORK = 150
_MOST_TRIALS = 1000
_CENTERS = 5
_CANDIDATES = 20


class DNGOTuner(SurrogateTuner):
    """Proposes points that are promising by a linear model of what a neural network has learned.

    Snoek et al., "Scalable Bayesian Optimization Using Deep Neural Networks", ICML 2015: a network learns the
    results, its last hidden layer are the features of a Bayesian linear regression, and the point with the
    largest expected improvement is proposed. The precisions of the regression are the most likely ones
    (the paper averages over them), and there is no quadratic mean.

    The network is trained anew with every `trials_per_update` results, the regression is made for each
    suggestion. Before the first `trials_per_update` results suggestions are random. Of very many results the
    best, the newest and some of the others are used: 150 for the network, 1,000 for the regression. A trial
    that runs counts as one with the result that is expected of it.

    Args:
        optimize_mode: "minimize" or "maximize".
        sample_size: How many random points are candidates for each suggestion. As many are drawn near the
            best results.
        trials_per_update: After how many results the network is trained anew.
        num_epochs_per_training: How often the network sees all results in a training, at most.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        sample_size: int = 1000,
        trials_per_update: int = 20,
        num_epochs_per_training: int = 500,
        seed: int | None = None,
    ) -> None:
        super().__init__(optimize_mode, trials_per_update, seed)
        self._sample_size = sample_size
        self._trials_per_update = trials_per_update
        self._epochs = num_epochs_per_training

    def _take_space(self, search_space: SearchSpace) -> None:
        super()._take_space(search_space)
        self._network: BasisNetwork | None = None
        self._network_count = 0

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        network = self._trained_network()
        subset = bounded_subset(self._history.losses, _MOST_TRIALS)
        vectors, (targets, _) = self._history.rows[subset], standardised(self._history.losses[subset])
        running = np.array(list(self._pending.values())).reshape(-1, self._encoder.size)
        known = network.features(vectors)
        posterior = LinearPosterior(known, targets, network.features(running))

        centers = vectors[np.argsort(targets, kind="stable")[:_CENTERS]]
        points = np.concatenate(
            [
                self._encoder.random(rng, self._sample_size),
                self._encoder.near(rng, centers, self._sample_size),
            ]
        )
        best = float(posterior.mean_and_deviation(known)[0].min())
        promise = log_improvement(*posterior.mean_and_deviation(network.features(points)), best)
        order = np.argsort(-promise, kind="stable")[:_CANDIDATES]
        candidates = [self._encoder.decode(vector) for vector in points[order]]
        return next(filter(self._deduplicator.is_new, candidates), candidates[0])

    def _trained_network(self) -> BasisNetwork:
        """Returns the network that learned the results up to the last multiple of trials_per_update."""
        count = self._history.count // self._trials_per_update * self._trials_per_update
        if self._network is None or self._network_count != count:
            losses = self._history.losses[:count]
            subset = bounded_subset(losses, _MOST_FOR_NETWORK)
            # An id that no parameters have.
            seed = int(np.random.SeedSequence((self._seed or 0, count, 1)).generate_state(1)[0])
            self._network = BasisNetwork(
                self._history.rows[subset], standardised(losses[subset])[0], self._epochs, seed
            )
            self._network_count = count
        return self._network
