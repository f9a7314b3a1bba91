"""Metis, which weighs where the optimum seems to be against what a trial would teach."""

from __future__ import annotations

import numpy as np

from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array
from nni_manager.algorithms.surrogate.acquisition import Acquisition
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
_CONFIDENCE = 1.96


class MetisTuner(SurrogateTuner):
    """Takes the trial that is expected to lower the predicted optimum most.

    Li et al., "Metis: Robustly Optimizing Tail Latencies of Cloud Systems", ATC 2018. A Gaussian process of
    the results names candidates: the points with the best prediction (exploitation); those with the most
    uncertain one and those whose confidence interval reaches furthest (exploration); those that are likely in
    a Gaussian mixture of the good third of the trials and unlikely in one of the others (from 12 results on);
    and, where that is allowed, the trials themselves, to be run once more (resampling, from 50 different
    points on, each thrice at most). Of these the one is taken whose result is expected to lower the best
    prediction most (knowledge gradient, where the paper compares confidence intervals); now and then it is
    the best prediction itself.

    The Gaussian process is the one of GP: every search space will do, trials that run count with the result
    that is expected of them, and at most 300 results are used. With resampling, a finite search space may get
    the same parameters again.

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
        exploited = self._new_ones(predicted)
        is_new = len(exploited) > 0 and bool((exploited[0] == predicted[0]).all())
        if is_new and rng.uniform() >= self._exploration_probability:
            return self._encoder.decode(exploited[0])
        if self._no_candidates:
            return suggest(rng, self._space)
        candidates = [
            exploited,
            *(
                self._new_ones(self._found(function, rng, fitted))
                for function in (
                    Uncertainty(fitted.posterior),
                    Acquisition("ucb", fitted.posterior, 0.0, _CONFIDENCE, 0.0),
                )
            ),
        ]
        if len(fitted.vectors) >= _FOR_MIXTURE:
            drawn = likely_good(self._encoder, rng, fitted.vectors, fitted.targets, self._starting_points)
            candidates.append(self._new_ones(drawn))
        fresh = [vectors[:_CANDIDATES] for vectors in candidates]
        points = np.concatenate([*fresh, self._repeatable(fitted)])
        if not len(points):
            return suggest(rng, self._space)
        known = np.concatenate([fitted.vectors, fitted.running])
        gains = expected_gains(fitted.posterior, fitted.kernel.noise, points, known)
        chosen = int(gains.argmax())
        parameters = self._encoder.decode(points[chosen])
        if chosen >= sum(map(len, fresh)):
            self._again = parameters
        return parameters

    def _unrepeated(self, chosen: FormattedParameters) -> FormattedParameters:
        return chosen if chosen is self._again else super()._unrepeated(chosen)

    def _found(self, function: Function, rng: np.random.Generator, fitted: Fitted) -> Array:
        centers = fitted.vectors[np.argsort(fitted.targets, kind="stable")[:_CENTERS]]
        warm_up = _WARM_UP_FACTOR * self._starting_points
        return most_promising(function, self._encoder, rng, centers, warm_up, self._starting_points)

    def _repeatable(self, fitted: Fitted) -> Array:
        """Returns the points of the trials that may be run again."""
        everything = np.concatenate([fitted.vectors, fitted.running])
        points, counts = np.unique(everything, axis=0, return_counts=True)
        if self._no_resampling or len(points) < _FOR_RESAMPLING:
            return points[:0]
        return points[counts <= _MOST_RESAMPLES]
