"""Hyperband."""

from __future__ import annotations

from nni_manager.algorithms.successive_halving.plan import bracket_plans
from nni_manager.algorithms.successive_halving.tuner import SuccessiveHalvingTuner

EXEC_MODES = ("parallelism", "serial")


class Hyperband(SuccessiveHalvingTuner):
    """Tries many random parameters with small budgets, and the best of them again with larger ones.

    Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", 2016, algorithm 1.
    A trial gets its budget as the integer TRIAL_BUDGET among its parameters; what a unit of it is (an epoch,
    say) is up to the trial.

    A round of a bracket is complete when all its trials have ended, in whatever way. Trials are ranked by
    their final result, those that succeeded without one by their latest intermediate result. Trials that
    failed, were stopped or canceled without a final result, trials without any, and results of NaN and of the
    worst infinity never go on to the next round, which may so have fewer trials than the table says. Results
    of trials that are not running, and second results of one, are logged and ignored. Results of parameters
    that a user chose and imported ones take no part in the brackets.

    In a finite search space no new parameters come twice with the same budget. Those that go on to a larger
    budget are run with it in any case.

    Args:
        optimize_mode: "minimize" or "maximize".
        R: The largest budget.
        eta: By how much each round divides the number of trials; their budget is multiplied by it.
        exec_mode: "parallelism" opens the next bracket whenever a trial is asked for and none is left;
            "serial" opens it when the one before is over, and hands in what is asked for until then later.
        repeat: Whether the brackets begin again after the last one. When they do not, NoMoreTrialError is
            raised at their end.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        optimize_mode: str = "maximize",
        R: int = 60,  # noqa: N803 - the paper's and NNI's name
        eta: int = 3,
        exec_mode: str = "parallelism",
        repeat: bool = True,
        seed: int | None = None,
    ) -> None:
        if exec_mode not in EXEC_MODES:
            raise ValueError(f"exec_mode is {exec_mode!r}; it should be one of {', '.join(EXEC_MODES)}")
        super().__init__(
            bracket_plans(R, eta), eta, optimize_mode, serial=exec_mode == "serial", repeat=repeat, seed=seed
        )
