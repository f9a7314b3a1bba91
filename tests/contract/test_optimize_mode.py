"""Every built-in tuner looks for large results or for small ones, as it is told (row 102)."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nni_manager.algorithms.registry import BuiltIn, built_in_algorithms
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.batch import BatchTuner
from nni_manager.algorithms.tuners.grid_search import GridSearchTuner
from nni_manager.algorithms.tuners.random import RandomTuner

TUNERS = {built_in.name: built_in for built_in in built_in_algorithms("tuner")}
X = {"x": {"_type": "uniform", "_value": [0, 10]}}
POINTS = {"x": {"_type": "choice", "_value": [{"x": float(number)} for number in range(40)]}}
TRIALS = 30
SETTINGS: dict[str, dict[str, Any]] = {
    "DNGO": {"sample_size": 100, "trials_per_update": 10, "num_epochs_per_training": 100},
    "Evolution": {"population_size": 6},
    "GP": {"selection_num_warm_up": 200},
    "Metis": {"selection_num_starting_points": 20},
    "PBT": {"population_size": 5},
    "TPE": {"tpe_args": {"n_startup_jobs": 10}},
}
LEARNS_NOTHING = (BatchTuner, GridSearchTuner, RandomTuner)


def proposed(built_in: BuiltIn, folder: Path, mode: str, sign: int) -> list[float]:
    """Returns where the trials were with -sign * (x - 3)^2 as their results."""
    arguments = {**built_in.fixed_arguments, **SETTINGS.get(built_in.name, {}), "optimize_mode": mode}
    if "seed" in inspect.signature(built_in.load()).parameters:
        arguments["seed"] = 3
    if "all_checkpoint_dir" in built_in.arguments:
        arguments["all_checkpoint_dir"] = str(folder)
    tuner: Tuner = built_in.load()(**arguments)
    tuner.update_search_space(POINTS if built_in.name == "Batch" else X)
    handed_in: dict[int, Any] = {}
    places: list[float] = []
    for parameter_id in range(TRIALS):
        for parameters in tuner.generate_multiple_parameters(
            [parameter_id], st_callback=handed_in.__setitem__
        ):
            handed_in[parameter_id] = parameters
        for ready in sorted(handed_in):
            parameters = handed_in.pop(ready)
            places.append(parameters["x"])
            tuner.receive_trial_result(ready, parameters, -sign * (parameters["x"] - 3) ** 2)
            tuner.trial_end(ready, True)
    assert len(places) > 0.8 * TRIALS
    return places


@pytest.mark.parametrize("built_in", TUNERS.values(), ids=TUNERS)
def test_a_tuner_looks_where_its_mode_says(built_in: BuiltIn, tmp_path: Path) -> None:
    maximised = proposed(built_in, tmp_path, "maximize", 1)
    minimised = proposed(built_in, tmp_path, "minimize", -1)
    assert json.dumps(maximised) == json.dumps(minimised)
    if issubclass(built_in.load(), LEARNS_NOTHING):
        return
    wrong_way = proposed(built_in, tmp_path, "minimize", 1)
    distances = [np.mean(np.abs(np.array(places[15:]) - 3)) for places in (maximised, wrong_way)]
    assert distances[0] < 0.7 * distances[1]
