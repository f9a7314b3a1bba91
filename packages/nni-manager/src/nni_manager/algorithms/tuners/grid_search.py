"""Grid search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nni import NoMoreTrialError

from nni_manager.algorithms.built_in_tuner import BuiltInTuner, result_name
from nni_manager.algorithms.hpo_utils import deformat_parameters, format_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.deduplicator import parameters_name
from nni_manager.algorithms.hpo_utils.grid import grid_points
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric


class GridSearchTuner(BuiltInTuner):
    """Goes through the search space in finer and finer grids.

    The first grid has every option of the categorical parameters and the median of the numeric ones; each
    later one halves the intervals between neighbours. The last parameter varies fastest, and no parameters
    come twice, those that a user chose or imported included. NoMoreTrialError is raised once nothing can be
    divided any more.

    Args:
        optimize_mode: Accepted as every tuner does, and of no effect.
        seed: Likewise.
    """

    def __init__(self, optimize_mode: str | None = None, seed: int | None = None) -> None:
        super().__init__(seed)
        self._mode = None if optimize_mode is None else OptimizeMode(optimize_mode)
        self._space: dict[ParameterKey, ParameterSpec] = {}
        self._grid: Iterator[FormattedParameters] = iter(())
        self._seen: set[str] = set()

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space and starts its first grid; what was proposed before is left out.

        Raises:
            ValueError: The search space is empty.
        """
        if not search_space:
            raise ValueError("Search space is empty")
        self._space = format_search_space(search_space)
        self._grid = grid_points(self._space)

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns the next point of the grid.

        Raises:
            NoMoreTrialError: There is no finer grid.
        """
        for point in self._grid:
            parameters = deformat_parameters(point, self._space)
            name = parameters_name(parameters)
            if name not in self._seen:
                self._seen.add(name)
                return parameters
        raise NoMoreTrialError("Grid search is complete")

    def restore_proposal(self, parameter_id: int, parameters: Parameters) -> None:
        """Leaves out these parameters."""
        self._seen.add(parameters_name(parameters))

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Leaves out parameters that are not of the grid's own making; the results change nothing."""
        if parameters_name(parameters) in self._seen:
            return
        self._seen.add(parameters_name(parameters))
        try:
            # As the grid would write them: 4 may be its 4.0.
            own = deformat_parameters(format_parameters(parameters, self._space), self._space)
        except ValueError as error:
            if kwargs.get("customized"):
                self._ignore(result_name(parameter_id), error)
        else:
            self._seen.add(parameters_name(own))
