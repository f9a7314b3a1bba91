"""The samplers of Optuna."""

from __future__ import annotations

import math
from typing import Any

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters
from nni_manager.algorithms.optuna_bridge.dimensions import Dimensions
from nni_manager.algorithms.optuna_bridge.samplers import SAMPLERS, make_sampler, sampler_problems
from nni_manager.algorithms.optuna_bridge.trials import Draft, Trials
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric

_LARGEST = 1e300


class OptunaTuner(BuiltInTuner):
    """Lets a sampler of Optuna propose.

    Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.

    Every type of the search space is there, nested choices as Optuna's conditional parameters. A trial that
    runs is RUNNING to Optuna, one that ended without a result FAIL. A result of NaN is the worst there is.
    Results of trials that are not running, and second results of one, are logged and ignored. Results of
    parameters that a user chose and imported ones are trials like all others; CmaEsSampler, NSGAIISampler
    and NSGAIIISampler learn only from what they proposed themselves. In a finite search space no parameters
    come twice, and NoMoreTrialError is raised once all were proposed.

    Every suggestion is made by a sampler whose seed depends on the seed and the parameter id, so that one
    made anew goes on as the one before. CmaEsSampler, NSGAIISampler, NSGAIIISampler and QMCSampler keep
    notes in the study; for them everything is drawn once more on a resume.

    Args:
        sampler: Its name: TPESampler, RandomSampler, CmaEsSampler, GPSampler, NSGAIISampler, NSGAIIISampler
            or QMCSampler.
        sampler_args: Its arguments, those of Optuna that are numbers, texts, true or false. `constant_liar`
            is True for TPESampler unless it is given.
        optimize_mode: "minimize" or "maximize".
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.

    Raises:
        ValueError: The sampler is unknown, an argument of it is wrong, or a package that it needs is missing.
    """

    def __init__(
        self,
        sampler: str = "TPESampler",
        sampler_args: dict[str, Any] | None = None,
        optimize_mode: str = "maximize",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        problems = sampler_problems(sampler, sampler_args)
        if problems:
            raise ValueError("; ".join(problems))
        self._mode = OptimizeMode(optimize_mode)
        self._sampler = sampler
        self._sampler_args = sampler_args or {}
        self._facts = SAMPLERS[sampler]
        self._pending: dict[int, int] = {}
        self._take_space({})

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space; what is known about parameters that are still in it is kept.

        A sampler that looks at all parameters together keeps only the trials that have them all.
        """
        old_space, old_trials, old_pending = self._space, self._trials, self._pending
        self._take_space(search_space)
        for old, loss in old_trials.finished():
            self._learn(deformat_parameters(old, old_space), loss)
        self._pending = {
            parameter_id: self._start(deformat_parameters(old_trials.parameters(number), old_space), {})
            for parameter_id, number in old_pending.items()
        }

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns what the sampler proposes.

        Raises:
            NoMoreTrialError: The whole search space was proposed.
        """
        draft = self._draw(parameter_id)
        parameters = deformat_parameters(self._deduplicator(draft.chosen), self._space)
        self._pending[parameter_id] = self._start(parameters, draft.notes)
        return parameters

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial runs with these parameters."""
        notes = self._draw(parameter_id).notes if self._facts.notes_in_trials else {}
        self._pending[parameter_id] = self._start(parameters, notes)

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Learns a trial's result, also one of parameters that a user chose (`customized`)."""
        loss = self._loss(result_name(parameter_id), value, self._mode)
        if loss is None:
            return
        loss = _bounded(loss)
        number = None if parameter_id is None else self._pending.pop(parameter_id, None)
        if number is not None:
            # The trial may have run with others than were proposed.
            is_as_proposed = self._trials.is_of(number, format_known_parameters(parameters, self._space))
            self._trials.finish(number, loss if is_as_proposed else None)
            if is_as_proposed:
                return
        elif not (parameter_id is None or kwargs.get("customized")):
            self._ignore(result_name(parameter_id), "no such trial is running")
            return
        if not self._learn(parameters, loss):
            self._ignore(result_name(parameter_id), f"{parameters!r} is not in the search space")

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Takes note of a trial that ended without a result."""
        number = None if parameter_id is None else self._pending.pop(parameter_id, None)
        if number is not None:
            self._trials.finish(number, None)

    def _take_space(self, search_space: SearchSpace) -> None:
        self._space = format_search_space(search_space)
        self._trials = Trials(Dimensions(self._space), self._facts.notes_in_trials)
        self._deduplicator = Deduplicator(self._space)

    def _draw(self, parameter_id: int) -> Draft:
        seed = int(self._rng(parameter_id).integers(2**32))
        root_seed = (self._seed or 0) % 2**32
        return self._trials.draw(make_sampler(self._sampler, self._sampler_args, root_seed, seed))

    def _start(self, parameters: Parameters, notes: Any) -> int:
        """Notes parameters as proposed; returns the number of the trial."""
        chosen = format_known_parameters(parameters, self._space)
        self._deduplicator.add_history(chosen)
        return self._trials.start(chosen, notes)

    def _learn(self, parameters: Parameters, loss: float) -> bool:
        """Learns a result; returns False if the sampler cannot learn from these parameters."""
        chosen = format_known_parameters(parameters, self._space)
        if not self._is_enough(chosen):
            return False
        self._deduplicator.add_history(chosen)
        self._trials.add(chosen, loss)
        return True

    def _is_enough(self, chosen: FormattedParameters) -> bool:
        if self._facts.takes_parts:
            return bool(chosen)
        return all(key in chosen for key, spec in self._space.items() if spec.is_activated_in(chosen))


def _bounded(loss: float) -> float:
    """Returns a loss of which samplers can work out multiples."""
    return loss if math.isinf(loss) else min(max(loss, -_LARGEST), _LARGEST)
