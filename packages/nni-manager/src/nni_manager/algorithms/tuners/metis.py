"""Metis, which weighs where the optimum seems to be against what a trial would teach."""

from __future__ import annotations

import numpy as np

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.surrogate.candidates import Function, most_promising
from nni_manager.algorithms.surrogate.gain import Lowness, Uncertainty, expected_gains
from nni_manager.algorithms.surrogate.mixture_of_good import likely_good
from nni_manager.algorithms.surrogate.model import Fitted, Model
from nni_manager.algorithms.surrogate.tuner import SurrogateTuner
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.algorithms.typehint import SearchSpace

_NU = 2.5
_ALPHA = 1e-6
_CENTERS = 5
_CANDIDATES = 3
_WARM_UP_FACTOR = 10
_FOR_MIXTURE = 12
_FOR_RESAMPLING = 50
_MOST_RESAMPLES = 3


class MetisTuner(SurrogateTuner):
    """Takes the trial that is expected to lower the predicted optimum most.

    Li et al., "Metis: Robustly Optimizing Tail Latencies of Cloud Systems", ATC 2018. A Gaussian process of
    the results names candidates: the points with the best prediction (exploitation), those with the most
    uncertain one (exploration), those that a Gaussian mixture of the good third of the trials has and one of
    the others has not (from 12 results on), and, where that is allowed, the trial whose true mean is the
    most uncertain, which is run once more (resampling, from 50 different points on, thrice each at most).
    Of these the one is taken from whose result most is expected; now and then the best prediction itself.

    The Gaussian process is the one of GP: every search space will do, trials that run count as ones with the
    mean result, and at most 300 results are used. With resampling, a finite search space may get the same
    parameters again.

    Args:
        optimize_mode: "minimize" or "maximize".
        no_resampling: Whether no trial is ever run again.
        no_candidates: Whether there are no candidates, so that random points stand in for them.
        selection_num_starting_points: From how many points the best and the most uncertain prediction are
            looked for, at most.
        cold_start_num: How many results there have to be before the model is used.
        exploration_probability: How often the candidate that is worth most is taken, rather than the best
            prediction; always where that was tried.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        no_resampling: bool = True,
        no_candidates: bool = False,
        selection_num_starting_points: int = 600,
        cold_start_num: int = 10,
        exploration_probability: float = 0.9,
        seed: int | None = None,
    ) -> None:
        self._no_resampling, self._no_candidates = no_resampling, no_candidates
        self._starting_points = selection_num_starting_points
        self._exploration_probability = exploration_probability
        super().__init__(optimize_mode, cold_start_num, seed)

    def _take_space(self, search_space: SearchSpace) -> None:
        super()._take_space(search_space)
        self._model = Model(_NU, _ALPHA)
        self._again: FormattedParameters | None = None

    def _choose(self, rng: np.random.Generator) -> FormattedParameters:
        self._again = None
        fitted = self._model.fit(self._history, self._pending.values())
        predicted = self._found(Lowness(fitted.posterior), rng, fitted)
        best = self._first_new(predicted)
        is_known = self._is_known(self._encoder.encode(best))
        if not is_known and rng.uniform() >= self._exploration_probability:
            return best
        if self._no_candidates:
            return suggest(rng, self._space)
        candidates = [
            self._new_ones(predicted),
            self._new_ones(self._found(Uncertainty(fitted.posterior), rng, fitted)),
        ]
        if len(fitted.vectors) >= _FOR_MIXTURE:
            drawn = likely_good(self._encoder, rng, fitted.vectors, fitted.targets, self._starting_points)
            candidates.append(self._new_ones(drawn))
        fresh_count = sum(map(len, candidates))
        candidates.append(self._uncertain_trial(fitted))
        points = np.concatenate(candidates)
        if not len(points):
            return best
        gains = expected_gains(fitted.posterior, fitted.kernel.noise, points, fitted.vectors)
        chosen = int(gains.argmax())
        parameters = self._encoder.decode(points[chosen])
        if chosen >= fresh_count:
            self._again = parameters
        return parameters

    def _unrepeated(self, chosen: FormattedParameters) -> FormattedParameters:
        return chosen if chosen is self._again else super()._unrepeated(chosen)

    def _found(self, function: Function, rng: np.random.Generator, fitted: Fitted) -> Array:
        centers = fitted.vectors[np.argsort(fitted.targets, kind="stable")[:_CENTERS]]
        warm_up = _WARM_UP_FACTOR * self._starting_points
        return most_promising(function, self._encoder, rng, centers, warm_up, self._starting_points)

    def _new_ones(self, vectors: Array) -> Array:
        """Returns the first few vectors that were not proposed yet."""
        new = [
            vector
            for vector in vectors
            if not self._is_known(vector) and self._deduplicator.is_new(self._encoder.decode(vector))
        ]
        return np.array(new[:_CANDIDATES]).reshape(-1, self._encoder.size)

    def _is_known(self, vector: Array) -> bool:
        rows = [self._history.rows, *(row[np.newaxis] for row in self._pending.values())]
        return any(bool((row == vector).all(axis=1).any()) for row in rows)

    def _uncertain_trial(self, fitted: Fitted) -> Array:
        """Returns the finished trial that is worth being run again, if there is one."""
        none = np.empty((0, self._encoder.size))
        if self._no_resampling:
            return none
        everything = np.concatenate([fitted.vectors, *(row[np.newaxis] for row in self._pending.values())])
        places, counts = np.unique(everything, axis=0, return_counts=True)
        places, few = places[counts <= _MOST_RESAMPLES], len(places) < _FOR_RESAMPLING
        if few or not len(places):
            return none
        deviations = fitted.posterior.mean_and_deviation(places)[1]
        return places[[int(deviations.argmax())]]
