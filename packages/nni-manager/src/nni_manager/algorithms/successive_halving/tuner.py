"""What the tuners that run brackets of successive halving have in common."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from nni import NoMoreTrialError

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import Deduplicator, deformat_parameters, format_parameters
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.hpo_utils.parameter_spec import (
    FormattedParameters,
    ParameterKey,
    ParameterSpec,
    format_search_space,
)
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.successive_halving.bracket import Bracket, Run
from nni_manager.algorithms.successive_halving.checks import BUDGET
from nni_manager.algorithms.successive_halving.plan import BracketPlan
from nni_manager.algorithms.successive_halving.schedule import Schedule
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric

LaterCallback = Callable[[int, Parameters], None]
"""Takes parameters under an id that was asked for before."""


class SuccessiveHalvingTuner(BuiltInTuner):
    """Base class of Hyperband and BOHB: brackets, ranking, and what trials get.

    Args:
        plans: The brackets of one pass.
        eta: By how much each round divides the number of trials.
        optimize_mode: "minimize" or "maximize".
        serial: Whether a bracket is opened only when the one before is over.
        repeat: Whether another pass follows each pass.
        seed: Makes the sequence repeatable. One is drawn and logged when it is None.
    """

    def __init__(
        self,
        plans: Sequence[BracketPlan],
        eta: int,
        optimize_mode: str,
        *,
        serial: bool,
        repeat: bool,
        seed: int | None,
    ) -> None:
        super().__init__(seed)
        self._mode = OptimizeMode(optimize_mode)
        self._schedule = Schedule(plans, eta, serial=serial, repeat=repeat)
        self._serial = serial
        self._max_budget = plans[-1].budgets[-1]
        self._runs: dict[int, Run] = {}
        self._owed: dict[int, LaterCallback] = {}
        self._space: dict[ParameterKey, ParameterSpec] = {}
        self._deduplicators: dict[float, Deduplicator] = {}

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space. After a change, what is not of it is run no more; the brackets go on.

        Raises:
            ValueError: It has a parameter with the name of the budget.
        """
        if BUDGET in search_space:
            raise ValueError(f"the name {BUDGET} is taken: a trial gets its budget under it")
        self._take_space(format_search_space(search_space))

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns parameters, with the trial's budget under TRIAL_BUDGET.

        Raises:
            NoMoreTrialError: There is nothing to run before others end, or nothing at all.
        """
        run = self._schedule.next_run(self._draw_new)
        if run is None:
            raise NoMoreTrialError(self.why_no_parameters)
        self._note(run.parameters, run.budget)
        self._owed.pop(parameter_id, None)
        self._runs[parameter_id] = run
        return {**copy.deepcopy(run.parameters), BUDGET: run.budget}

    @property
    def why_no_parameters(self) -> str:
        """Why there are no parameters when there are none."""
        if self._schedule.is_complete:
            return "all brackets are complete"
        if self._runs:
            return f"the next round starts when {len(self._runs)} running trials have ended"
        return "everything in the search space was tried with each budget"

    def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> list[Parameters]:
        """Returns parameters for the first ids; a serial tuner hands in those for the others later.

        Args:
            parameter_id_list: The ids.
            **kwargs: `st_callback(parameter_id, parameters)` takes what comes later.
        """
        proposals = super().generate_multiple_parameters(parameter_id_list, **kwargs)
        callback = kwargs.get("st_callback")
        if self._serial and callback is not None:
            self._owed.update(dict.fromkeys(parameter_id_list[len(proposals) :], callback))
        return proposals

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Takes note that a trial runs with these parameters, in the bracket where it is next."""
        if parameter_id in self._runs:
            return  # It was handed in when the end of another trial was told.
        self._owed.pop(parameter_id, None)
        own = _without_budget(parameters)
        budget = _budget_of(parameters, None)
        run = None
        if budget is not None:
            self._note(own, budget)
            may_run_out = not Deduplicator(self._space).never_repeats
            run = self._schedule.restored_run(own, budget, may_run_out)
        if run is None:
            self._ignore(f"the trial with id {parameter_id}", "it is not the next one of any bracket")
        else:
            self._runs[parameter_id] = run

    def restore_refusal(self, parameter_ids: list[int], st_callback: LaterCallback) -> None:
        """Takes note of ids that an earlier instance had no parameters for, and still owes if it is serial.

        Args:
            parameter_ids: The ids.
            st_callback: What parameters are handed in with.
        """
        if self._serial:
            self._owed.update(dict.fromkeys(parameter_ids, st_callback))

    def receive_intermediate_result(
        self, parameter_id: int | None, trial_job_id: str, index: int, value: TrialMetric
    ) -> None:
        """Takes an intermediate result: the latest one counts where a trial has no final result.

        Args:
            parameter_id: The id of the trial's parameters; None and unknown ones are of no interest.
            trial_job_id: The trial's id.
            index: Which of the trial's results it is; 0 again when the trial was begun again.
            value: The result, any JSON value.
        """
        run = None if parameter_id is None else self._runs.get(parameter_id)
        if run is None or 0 < index <= run.latest_index:
            return
        loss = self._loss(f"an intermediate result of trial {trial_job_id}", value, self._mode)
        if loss is not None:
            run.latest_loss, run.latest_index = loss, index

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Takes a trial's final result, also one of parameters that a user chose (`customized`)."""
        run = None if parameter_id is None else self._runs.get(parameter_id)
        name = result_name(parameter_id)
        loss = self._loss(name, value, self._mode)
        if loss is None:
            return
        if run is not None and run.final_loss is None:
            run.final_loss = loss
            own = _without_budget(parameters)
            if own is not None and self._fits(own):
                # The trial may have run with others than were proposed.
                run.parameters = own
                self._note(own, run.budget)
            self._learn(run.parameters, _budget_of(parameters, run.budget) or run.budget, loss)
        elif parameter_id is not None and not kwargs.get("customized"):
            self._ignore(name, "no such trial is running, or it has a result")
        else:
            self._learn_of_others(name, parameters, loss)

    def trial_end(self, parameter_id: int | None, success: bool, **kwargs: Any) -> None:
        """Ranks a trial by its final result, else by its latest intermediate one if it succeeded."""
        run = None if parameter_id is None else self._runs.pop(parameter_id, None)
        if run is None:
            return
        run.loss = run.final_loss if run.final_loss is not None or not success else run.latest_loss
        if run.final_loss is None:
            self._learn(run.parameters, run.budget, math.inf if run.loss is None else run.loss)
        if run.loss == math.inf:
            run.loss = None
        self._schedule.end(run)
        self._hand_in()

    def _choose(self, rng: np.random.Generator, deduplicator: Deduplicator) -> FormattedParameters:
        """Returns new parameters.

        Args:
            rng: Random numbers for them.
            deduplicator: Knows what was tried before; what it knows is replaced.
        """
        return suggest(rng, self._space)

    def _learn(self, parameters: Parameters, budget: float, loss: float) -> bool:
        """Learns a result, NaN and failures being infinite; False if there is nothing of the search space."""
        return True

    def _take_space(self, space: dict[ParameterKey, ParameterSpec]) -> None:
        ran_out = not Deduplicator(self._space).never_repeats
        self._space = space
        self._deduplicators = {}
        self._schedule.change_space(self._fits, ran_out)

    def _draw_new(self, bracket: Bracket) -> Parameters | None:
        # Not by the parameter id: which id the next trial gets depends on how often nothing was to be had.
        rng = self._rng(bracket.number, bracket.run_count)
        deduplicator = self._deduplicator(bracket.budget)
        try:
            chosen = deduplicator(self._choose(rng, deduplicator))
        except NoMoreTrialError:
            return None
        return deformat_parameters(chosen, self._space)

    def _hand_in(self) -> None:
        for parameter_id, callback in list(self._owed.items()):
            try:
                parameters = self.generate_parameters(parameter_id)
            except NoMoreTrialError:
                return
            callback(parameter_id, parameters)

    def _learn_of_others(self, name: str, parameters: Any, loss: float) -> None:
        own, budget = _without_budget(parameters), _budget_of(parameters, self._max_budget)
        if own is None:
            self._ignore(name, f"{parameters!r} is no object of parameters")
        elif budget is None:
            self._ignore(name, f"{BUDGET} is {parameters[BUDGET]!r}, not a positive number")
        elif self._learn(own, budget, loss):
            self._note(own, budget)
        else:
            self._ignore(name, f"nothing of {parameters!r} is in the search space")

    def _note(self, parameters: Parameters, budget: float) -> None:
        """Notes parameters as tried with a budget."""
        deduplicator = self._deduplicator(budget)
        if not deduplicator.never_repeats:
            deduplicator.add_history(format_known_parameters(parameters, self._space))

    def _deduplicator(self, budget: float) -> Deduplicator:
        if budget not in self._deduplicators:
            self._deduplicators[budget] = Deduplicator(self._space)
        return self._deduplicators[budget]

    def _fits(self, parameters: Parameters) -> bool:
        """Returns whether parameters are what a trial can get from the search space as it is."""
        try:
            chosen = format_parameters(parameters, self._space)
        except ValueError:
            return False
        return _is_same(deformat_parameters(chosen, self._space), parameters)


def _without_budget(parameters: Any) -> Any:
    """Returns parameters without the budget, None when they are none."""
    if not isinstance(parameters, dict):
        return None
    return {name: value for name, value in parameters.items() if name != BUDGET}


def _budget_of(parameters: Any, default: float | None) -> float | None:
    """Returns the budget among parameters, None when it is no positive number."""
    budget = parameters.get(BUDGET, default) if isinstance(parameters, dict) else default
    if isinstance(budget, bool) or not isinstance(budget, (int, float)):
        return None
    return budget if 0 < budget <= sys.float_info.max else None


def _is_same(first: Any, second: Any) -> bool:
    """Returns whether parameters are equal, but for how their numbers are rounded."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_is_same(first[name], second[name]) for name in first)
    if isinstance(first, float) and isinstance(second, (int, float)):
        return math.isclose(first, second, rel_tol=1e-9)
    return bool(first == second)
