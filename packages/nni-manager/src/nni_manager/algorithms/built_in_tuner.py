"""What the built-in tuners have in common."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from nni_manager.algorithms.results import OptimizeMode, loss_of
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.typehint import Parameters, TrialMetric, TrialRecord

_logger = logging.getLogger(__name__)


class BuiltInTuner(Tuner):
    """Base class of the built-in tuners.

    They take results of parameters that a user chose and results of other experiments, and no result is ever
    an error: what they cannot use is logged, counted and ignored.

    They can be made anew: a fresh one that gets the same calls, with `restore_proposal` in place of
    `generate_parameters`, goes on as the one before would have. For that, random numbers come from `_rng`
    alone, so that they depend on the seed and the parameter id, and not on what was drawn before.

    Each keeps its optimize mode in `_mode`: an experiment that is given an instance ranks by it.

    Args:
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self._accept_customized_trials()
        self._seed = seed
        self._ignored_count = 0

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note of parameters that an earlier instance proposed. Nothing is drawn for it.

        Args:
            parameter_id: The id that they were proposed under.
            parameters: What was proposed.
        """
        raise NotImplementedError

    def import_data(self, data: list[TrialRecord]) -> None:
        """Takes results of other experiments. Those of no use are logged, counted and left out."""
        before = self._ignored_count
        for record in data:
            if isinstance(record, dict) and {"parameter", "value"} <= record.keys():
                self.receive_trial_result(
                    None,  # type: ignore[arg-type]  # as NNI does for parameters that it did not propose
                    record["parameter"],
                    record["value"],
                    customized=True,
                )
            else:
                self._ignore("an imported record", "it has no parameter and value")
        left_out = self._ignored_count - before
        _logger.info("%s results were imported, %s of them are of no use.", len(data), left_out)

    def _rng(self, *numbers: int) -> np.random.Generator:
        """Returns the random numbers for the parameters of one id, or for what other numbers stand for."""
        if self._seed is None:
            self._seed = int(np.random.SeedSequence().generate_state(1)[0])
            _logger.info("The seed is %s.", self._seed)
        return np.random.default_rng(np.random.SeedSequence((self._seed, *numbers)))

    def _loss(self, what: str, value: TrialMetric, mode: OptimizeMode) -> float | None:
        """Returns a result as a loss (see `loss_of`), None for one without a number, which is ignored.

        Args:
            what: What the result is called in the log.
            value: The result.
            mode: Which way the result is better.
        """
        try:
            return loss_of(value, mode)
        except RuntimeError as error:
            self._ignore(what, error)
            return None

    def _ignore(self, what: str, why: object) -> None:
        """Logs and counts something that is ignored."""
        self._ignored_count += 1
        _logger.warning("%s is ignored (%s so far): %s", what.capitalize(), self._ignored_count, why)


def result_name(parameter_id: Any) -> str:
    """Returns what to call a result in the log."""
    return "a customized result" if parameter_id is None else f"a result under the id {parameter_id}"
