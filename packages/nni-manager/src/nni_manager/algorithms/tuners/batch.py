"""A list of points, tried in its order."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from nni import NoMoreTrialError

from nni_manager.algorithms.built_in_tuner import BuiltInTuner
from nni_manager.algorithms.hpo_utils.validation import points_problems
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric


class BatchTuner(BuiltInTuner):
    """Proposes the options of one choice, each as it stands there, in their order.

    The search space is exactly one parameter of type choice. A trial gets the option itself, which may be any
    JSON value, without the parameter's name. Each imported result, and each result of parameters that a user
    chose, leaves out one equal option, whatever the result is. An option that stands there twice is proposed
    twice. NoMoreTrialError is raised once all were proposed. No result changes anything else, so nothing that
    happens to a trial does.

    Args:
        optimize_mode: Accepted as every tuner does, and of no effect.
        seed: Likewise.
    """

    def __init__(self, optimize_mode: str | None = None, seed: int | None = None) -> None:
        super().__init__(seed)
        self._mode = None if optimize_mode is None else OptimizeMode(optimize_mode)
        self._options: list[Any] = []
        self._position = 0
        self._taken: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the options; those that were proposed or imported before are left out.

        Raises:
            RuntimeError: It is not one parameter of type choice with options.
        """
        problems = points_problems(search_space)
        if problems:
            raise RuntimeError("; ".join(problems))
        ((_, definition),) = search_space.items()
        self._options = definition["_value"]
        self._position = 0
        self._left_out = Counter(self._taken)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the next option.

        Raises:
            NoMoreTrialError: There are no more.
        """
        while self._position < len(self._options):
            option = self._options[self._position]
            self._position += 1
            name = _name(option)
            if not self._left_out[name]:
                self._taken[name] += 1
                return option  # type: ignore[no-any-return]  # any JSON value
            self._left_out[name] -= 1
        raise NoMoreTrialError("every option of the batch was proposed")

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Leaves out an option that was proposed."""
        self._leave_out(parameters)

    def receive_trial_result(
        self, parameter_id: int | None, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Leaves out an option that a user tried; other results change nothing."""
        if kwargs.get("customized"):
            self._leave_out(parameters)

    def _leave_out(self, parameters: Any) -> None:
        name = _name(parameters)
        self._taken[name] += 1
        self._left_out[name] += 1


def _name(value: Any) -> str:
    """Returns a text that is the same for what is equal in JSON, where true is not 1, but 1.0 is."""
    return json.dumps(_plain(value), sort_keys=True, default=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(element) for key, element in value.items()}
    return [_plain(element) for element in value] if isinstance(value, (list, tuple)) else value
