"""The tree-structured Parzen estimator."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.parzen.dimensions import Array, Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.parzen.kernels import Kernels
from nni_manager.algorithms.parzen.mixture import Mixture
from nni_manager.algorithms.results import OptimizeMode, loss_of
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric

# Measured with tools/benchmark_tuners.py and eleven other functions: wider kernels refine less, narrower ones
# miss the better of several optima.
_WIDTH = 0.07
_NARROWEST = 0.01
_SPREAD = 2.0
_WIDTH_STEP = 1.05


class TpeArguments(NamedTuple):
    """The settings of TPE, those of NNI's `tpe_args`.

    Attributes:
        constant_liar_type: What running trials count as: "worst" and "mean" count them among the others, so
            that they are kept away from; "best", NNI's default, among the good ones; None leaves them out.
        n_startup_jobs: How many results there have to be before the model is used instead of random search.
        n_ei_candidates: How many points are drawn for each suggestion; the most promising one is taken.
        linear_forgetting: How many of the latest trials have full weight; the weight of older ones falls
            linearly. It is also the largest number of good trials.
        prior_weight: The weight of the search space's own distribution, one trial's being 1.
        gamma: With n results, the best gamma * sqrt(n) are the good trials. NNI's default is 0.25.
    """

    constant_liar_type: str | None = "worst"
    n_startup_jobs: int = 20
    n_ei_candidates: int = 24
    linear_forgetting: int = 25
    prior_weight: float = 1.0
    gamma: float = 0.7


class TpeTuner(BuiltInTuner):
    """Proposes points that are likely among good trials and unlikely among the others.

    Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 2011: with l and g the densities of
    the good and of the other trials, the expected improvement (equation 2) is greatest where l / g is. Here
    the densities are joint ones over all parameters (Falkner et al., "BOHB", ICML 2018; Watanabe,
    "Tree-Structured Parzen Estimator", 2023), with kernels that are as wide as Scott's rule says. A
    parameter that is not active in a trial, since it belongs to another option of a choice, has the search
    space's distribution there.

    Failed and stopped trials without a result are not learned from; a result of NaN is the worst there is.
    Results of trials that are not running, and second results of one, are logged and ignored. In a finite
    search space no parameters come twice, and NoMoreTrialError is raised once all were proposed.

    Args:
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
        tpe_args: The fields of TpeArguments.
    """

    def __init__(
        self,
        optimize_mode: str = "minimize",
        seed: int | None = None,
        tpe_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(seed)
        self._mode = OptimizeMode(optimize_mode)
        self._arguments = TpeArguments(**(tpe_args or {}))
        self._pending: dict[int, Array] = {}
        self._take_space({})

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; what is known about parameters that are still in it is kept."""
        old_rows = [*self._history.rows, *self._pending.values()]
        known = [deformat_parameters(self._dimensions.decode(row), self._space) for row in old_rows]
        losses, pending_ids = self._history.losses, list(self._pending)
        self._take_space(search_space)
        for parameters, loss in zip(known, losses, strict=False):
            self._learn(parameters, float(loss))
        for parameters, parameter_id in zip(known[len(losses) :], pending_ids, strict=True):
            self._pending[parameter_id] = self._note(parameters)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the most promising parameters.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        rng = self._rng(parameter_id)
        if self._history.count < self._arguments.n_startup_jobs:
            chosen = suggest(rng, self._space)
        else:
            chosen = self._best_candidate(rng)
        parameters = deformat_parameters(self._deduplicator(chosen), self._space)
        self._pending[parameter_id] = self._note(parameters)
        return parameters

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial runs with these parameters."""
        self._pending[parameter_id] = self._note(parameters)

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Learns a trial's result, also one of parameters that a user chose (`customized`)."""
        try:
            loss = loss_of(value, self._mode)
        except RuntimeError as error:
            self._ignore(result_name(parameter_id), error)
            return
        # The trial may have run with others than were proposed, so its parameters are those of the result.
        was_pending = parameter_id is not None and self._pending.pop(parameter_id, None) is not None
        if not (parameter_id is None or was_pending or kwargs.get("customized")):
            self._ignore(result_name(parameter_id), "no such trial is running")
        elif not self._learn(parameters, loss):
            self._ignore(result_name(parameter_id), f"nothing of {parameters!r} is in the search space")

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Forgets a trial that ended without a result."""
        if parameter_id is not None:
            self._pending.pop(parameter_id, None)

    def _take_space(self, search_space: SearchSpace) -> None:
        self._space = format_search_space(search_space)
        self._dimensions = Dimensions(self._space)
        self._deduplicator = Deduplicator(self._space)
        self._history = History(len(self._space))
        self._kernels = self._new_kernels(1)

    def _note(self, parameters: Parameters) -> Array:
        """Notes parameters as proposed and returns their row."""
        chosen = format_known_parameters(parameters, self._space)
        self._deduplicator.add_history(chosen)
        return self._dimensions.encode(chosen)

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        """Learns a result; returns False if the parameters have nothing of the search space."""
        row = self._note(parameters)
        if np.isnan(row).all():
            return False
        self._history.append(row, loss)
        return True

    def _best_candidate(self, rng: np.random.Generator) -> FormattedParameters:
        good_rows, good, others = self._densities()
        ((kernels, weights),) = good.parts
        chances = np.append(weights, good.prior_weight)
        count = self._arguments.n_ei_candidates
        picked = rng.choice(len(chances), size=count, p=chances / chances.sum())
        # A row without values stands for the distribution of the search space.
        centers = np.concatenate([good_rows, np.full((1, len(self._space)), np.nan)])[picked]
        points = kernels.draw(rng, centers)
        scores = good.log_density(points) - others.log_density(points)
        candidates = [self._dimensions.decode(points[index]) for index in np.argsort(-scores, kind="stable")]
        return next(filter(self._deduplicator.is_new, candidates), candidates[0])

    def _densities(self) -> tuple[Array, Mixture, Mixture]:
        """Returns the rows of the good trials, their density, and that of the others."""
        arguments, history = self._arguments, self._history
        best_count = min(math.ceil(arguments.gamma * math.sqrt(history.count)), arguments.linear_forgetting)
        best = history.best(best_count)
        pending = np.array(list(self._pending.values())).reshape(-1, len(self._space))
        good_rows = history.rows[best]
        if arguments.constant_liar_type == "best":
            good_rows = np.concatenate([good_rows, pending])
        good_kernels = self._new_kernels(len(good_rows))
        good_kernels.append(good_rows)
        good = (good_kernels, _weights(len(good_rows), arguments.linear_forgetting))

        self._update_kernels()
        weights = _weights(history.count, arguments.linear_forgetting)
        weights[best] = 0.0
        others = [(self._kernels, weights)]
        if arguments.constant_liar_type in ("worst", "mean"):
            pending_kernels = Kernels(self._dimensions, self._kernels.width, self._kernels.spread)
            pending_kernels.append(pending)
            others.append((pending_kernels, np.ones(len(pending))))
        prior = arguments.prior_weight
        return (
            good_rows,
            Mixture(self._dimensions, (good,), prior),
            Mixture(self._dimensions, tuple(others), prior),
        )

    def _update_kernels(self) -> None:
        """Brings the kernels of all finished trials up to date; their width changes in steps of 5 % of n."""
        count = self._history.count
        step = _WIDTH_STEP ** math.floor(math.log(count, _WIDTH_STEP)) if count > 100 else count
        fresh = self._new_kernels(step)
        if (fresh.width, fresh.spread) != (self._kernels.width, self._kernels.spread):
            self._kernels = fresh
        self._kernels.append(self._history.rows[self._kernels.count :])

    def _new_kernels(self, count: float) -> Kernels:
        """Returns kernels, none yet, of the width for a number of trials (Scott's rule)."""
        count = max(count, 1)
        width = _WIDTH * count ** (-1 / (len(self._space) + 4))
        shared = _SPREAD * self._arguments.prior_weight
        return Kernels(self._dimensions, min(max(width, _NARROWEST), 1.0), shared / (shared + count))


def _weights(count: int, full: int) -> Array:
    """Returns the weights of trials, the newest last (linear forgetting)."""
    ramp = np.linspace(1 / count, 1, count - full) if count > full else np.empty(0)
    return np.concatenate([ramp, np.ones(min(count, full))])
