"""Grid search."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from nni import NoMoreTrialError

from nni_manager.algorithms.hpo_utils import deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.deduplicator import parameters_name
from nni_manager.algorithms.hpo_utils.grid import grid_points
from nni_manager.algorithms.hpo_utils.parameter_spec import FormattedParameters, ParameterKey, ParameterSpec
from nni_manager.algorithms.results import OptimizeMode
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric, TrialRecord

_logger = logging.getLogger(__name__)


class GridSearchTuner(Tuner):
    """Goes through the search space in finer and finer grids.

    The first grid has every option of the categorical parameters and the median of the numeric ones; each
    later one halves the intervals between neighbours. The last parameter varies fastest, and no parameters
    come twice. NoMoreTrialError is raised once nothing can be divided any more.

    Args:
        optimize_mode: Accepted as every tuner does, and of no effect.
    """

    def __init__(self, optimize_mode: str | None = None) -> None:
        super().__init__()
        if optimize_mode is not None:
            OptimizeMode(optimize_mode)
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

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Does nothing: a grid is the same whatever the results."""

    def import_data(self, data: list[TrialRecord]) -> None:
        """Leaves out the parameters of these records."""
        self._seen.update(parameters_name(record["parameter"]) for record in data)
        _logger.info("%s parameters are left out of the grid.", len(data))
