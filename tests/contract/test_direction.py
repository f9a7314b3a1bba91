"""Row 102: every tuner minimizes and maximizes, and the same search comes of it.

To maximize the negative of a function is to minimize it, so the proposals are the same; and to maximize the
function itself is something else, except to tuners that heed no result.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nni_manager.algorithms.registry import BuiltIn, built_in_algorithms
from nni_manager.testing.search_spaces import without_added
from nni_manager.testing.tuner_story import TunerStory

SPACE = {
    "x": {"_type": "uniform", "_value": [0, 10]},
    "kind": {"_type": "choice", "_value": ["a", "b", "c"]},
}
HEED_NO_RESULT = ("Random", "GridSearch", "Batch")
ARGUMENTS: dict[str, dict[str, Any]] = {
    "TPE": {"tpe_args": {"n_startup_jobs": 5}},
    "Evolution": {"population_size": 5},
    "PBT": {"population_size": 4},
    "GP": {"cold_start_num": 9, "selection_num_warm_up": 100, "selection_num_starting_points": 2},
    "Metis": {"cold_start_num": 9, "selection_num_starting_points": 5},
    "DNGO": {"trials_per_update": 8, "num_epochs_per_training": 30, "sample_size": 100},
    "Hyperband": {"R": 9},
    "BOHB": {"max_budget": 9, "top_n_percent": 50},
    "Optuna": {"sampler_args": {"n_startup_trials": 5}},
}


def proposals(built_in: BuiltIn, mode: str, objective: Callable[[float], float], folder: Path) -> list[Any]:
    arguments = {**built_in.fixed_arguments, **ARGUMENTS.get(built_in.name, {})}
    if built_in.name == "PBT":
        arguments["all_checkpoint_dir"] = str(folder)
    tuner = built_in.load()(**arguments, optimize_mode=mode, seed=11)
    is_batch = built_in.name == "Batch"
    tuner.update_search_space({"x": {"_type": "choice", "_value": list(range(40))}} if is_batch else SPACE)
    story = TunerStory(tuner)
    for parameter_id in range(12 if built_in.packages and built_in.name != "BOHB" else 30):
        parameters = story.ask(parameter_id)
        if parameters is not None:
            story.finish(parameter_id, objective(parameters if is_batch else parameters["x"]))
    return [parameters if is_batch else without_added(parameters) for parameters in story.proposals]


@pytest.mark.parametrize(
    "built_in",
    [
        pytest.param(built_in, id=built_in.name, marks=[pytest.mark.slow] if built_in.packages else [])
        for built_in in built_in_algorithms("tuner")
    ],
)
def test_to_minimize_is_to_maximize_the_negative(built_in: BuiltIn, tmp_path: Path) -> None:
    minimized = proposals(built_in, "minimize", lambda x: (x - 3) ** 2, tmp_path)
    assert minimized == proposals(built_in, "maximize", lambda x: -((x - 3) ** 2), tmp_path)
    other = proposals(built_in, "maximize", lambda x: (x - 3) ** 2, tmp_path)
    assert (minimized == other) == (built_in.name in HEED_NO_RESULT)
