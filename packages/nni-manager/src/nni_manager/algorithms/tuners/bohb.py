"""BOHB: Hyperband with a model of which parameters are good."""

from __future__ import annotations

import numpy as np

from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.kernel_density.model import Model, ModelSettings, fitted
from nni_manager.algorithms.parzen.dimensions import Dimensions
from nni_manager.algorithms.parzen.history import History
from nni_manager.algorithms.successive_halving.checks import MAX_BUDGET, MIN_BUDGET
from nni_manager.algorithms.successive_halving.pcs_file import read_pcs
from nni_manager.algorithms.successive_halving.plan import bracket_plans
from nni_manager.algorithms.successive_halving.tuner import SuccessiveHalvingTuner
from nni_manager.algorithms.typehint import Parameters, SearchSpace


class BOHB(SuccessiveHalvingTuner):
    """Runs the brackets of Hyperband, and draws their parameters where good ones are dense.

    Falkner et al., "BOHB: Robust and Efficient Hyperparameter Optimization at Scale", 2018. The results on
    the largest budget that has enough of them are split into good ones and others; of candidates drawn around
    good ones that with the largest ratio of the two kernel densities is taken (equations 2 and 3). What is
    not active in a point (it belongs to another option) is filled in from other points. Brackets, budgets and
    ranking are those of Hyperband; the next bracket is opened whenever a trial is asked for and none is left.

    Trials that failed, were stopped or canceled without a final result, trials without any, and results of
    NaN are learned as the worst there is, and never go on. Running trials are not in the model: what is drawn
    for each is random. Results of trials that are not running, and second results of one, are logged and
    ignored. Results of parameters that a user chose and imported ones are learned under their TRIAL_BUDGET,
    without one under `max_budget`.

    The model has at most the 200 best of the good results and the 800 latest others, so that a suggestion
    takes no longer after many trials. In a finite search space no new parameters come twice with the same
    budget. Those that go on to a larger budget are run with it in any case.

    Args:
        optimize_mode: "minimize" or "maximize".
        min_budget: The smallest budget.
        max_budget: The largest budget.
        eta: By how much each round divides the number of trials; their budget is multiplied by it.
        min_points_in_model: How many good results there are at least, and how many others, before the model
            is used; one more than there are parameters if that is more, or if it is None.
        top_n_percent: How many of the results are good ones.
        num_samples: How many candidates are drawn.
        random_fraction: How probable it is that parameters are drawn at random instead.
        bandwidth_factor: How much wider than the kernels the candidates are drawn.
        min_bandwidth: The least width of a kernel; the range of a number is 1.
        config_space: The path of a .pcs file, whose search space is used in place of the experiment's.
        repeat: Whether the brackets begin again after the last one. When they do not, NoMoreTrialError is
            raised at their end.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        min_budget: int = MIN_BUDGET,
        max_budget: int = MAX_BUDGET,
        eta: int = 3,
        min_points_in_model: int | None = None,
        top_n_percent: int = 15,
        num_samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3.0,
        min_bandwidth: float = 1e-3,
        config_space: str | None = None,
        repeat: bool = True,
        seed: int | None = None,
    ) -> None:
        self._settings = ModelSettings(
            min_points_in_model or 0, top_n_percent, num_samples, bandwidth_factor, min_bandwidth
        )
        self._random_fraction = random_fraction
        self._dimensions = Dimensions({})
        self._histories: dict[float, History] = {}
        self._models: dict[float, tuple[int, Model | None]] = {}
        self._file = config_space
        self._file_space = None if config_space is None else read_pcs(config_space)
        plans = bracket_plans(max_budget, eta, min_budget)
        super().__init__(plans, eta, optimize_mode, serial=False, repeat=repeat, seed=seed)

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space. After a change, what is not of it is run no more; the brackets go on.

        Raises:
            ValueError: It has a parameter with the name of the budget, or is that of `config_space`, which
                stays.
        """
        if self._file_space is None:
            super().update_search_space(search_space)
        elif self._space:
            raise ValueError(f"BOHB cannot change its search space while it runs: it is that of {self._file}")
        else:
            super().update_search_space(self._file_space)

    def _take_space(self, space: dict[ParameterKey, ParameterSpec]) -> None:
        old_space, old_dimensions, old = self._space, self._dimensions, self._histories
        super()._take_space(space)
        self._dimensions = Dimensions(space)
        self._histories, self._models = {}, {}
        for budget, history in old.items():
            for row, loss in zip(history.rows, history.losses.tolist(), strict=True):
                self._learn(deformat_parameters(old_dimensions.decode(row), old_space), budget, loss)

    def _learn(self, parameters: Parameters, budget: float, loss: float) -> bool:
        row = self._dimensions.encode(format_known_parameters(parameters, self._space))
        if np.isnan(row).all():
            return False
        if budget not in self._histories:
            self._histories[budget] = History(len(self._space))
        self._histories[budget].append(row, loss)
        return True

    def _choose(self, rng: np.random.Generator, deduplicator: Deduplicator) -> FormattedParameters:
        model = None if rng.uniform() < self._random_fraction else self._model()
        if model is None:
            return super()._choose(rng, deduplicator)
        rows = model.candidates(rng)
        candidates = (self._dimensions.decode(row) for row in rows)
        return next(filter(deduplicator.is_new, candidates), self._dimensions.decode(rows[0]))

    def _model(self) -> Model | None:
        """Returns the model of the largest budget that has one."""
        for budget in sorted(self._histories, reverse=True):
            history = self._histories[budget]
            count, model = self._models.get(budget, (0, None))
            if count != history.count:
                # The same for the same results, whatever was proposed since.
                rng = self._rng(*float(budget).as_integer_ratio(), history.count)
                model = fitted(history, self._dimensions, self._settings, rng)
                self._models[budget] = (history.count, model)
            if model is not None:
                return model
        return None
