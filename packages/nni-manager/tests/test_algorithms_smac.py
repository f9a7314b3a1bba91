"""What the SMAC tuner does beyond the contract of all tuners."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nni.algorithms.hpo.smac_tuner import SMACTuner as FacadeTuner
from nni_manager.algorithms.forest.local_search import climb, neighbours
from nni_manager.algorithms.forest.model import Columns, Forest, log_scaled
from nni_manager.algorithms.hpo_utils import format_search_space
from nni_manager.algorithms.parzen.dimensions import Dimensions
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.smac import SMACTuner
from nni_manager.testing.search_spaces import FINITE, SPACES

X = {"x": {"_type": "uniform", "_value": [0, 10]}}
XYC = {
    **X,
    "y": {"_type": "loguniform", "_value": [0.01, 100]},
    "c": {"_type": "choice", "_value": ["a", "b", "c"]},
}


def run(tuner: Tuner, space: dict[str, Any], objective: Any, count: int) -> list[Any]:
    tuner.update_search_space(space)
    proposed = []
    for parameter_id in range(count):
        proposed += tuner.generate_multiple_parameters([parameter_id])
        tuner.receive_trial_result(parameter_id, proposed[-1], objective(proposed[-1]))
        tuner.trial_end(parameter_id, True)
    return proposed


@pytest.mark.parametrize(("mode", "sign"), [("minimize", 1), ("maximize", -1)])
def test_it_gets_close_to_the_optimum_either_way(mode: str, sign: int) -> None:
    def loss(p: dict[str, Any]) -> float:
        return abs(p["x"] - 3) + abs(math.log10(p["y"])) + 2 * (p["c"] != "b")

    proposed = run(SMACTuner(mode, seed=1), XYC, lambda p: sign * loss(p), 35)
    assert min(map(loss, proposed[10:])) < min(map(loss, proposed[:10])) * 0.6
    assert sum(p["c"] == "b" for p in proposed[20:]) >= 9


def test_nan_and_infinities_are_results() -> None:
    def objective(p: dict[str, Any]) -> float:
        return math.nan if p["x"] > 6 else math.inf if p["x"] > 5 else -abs(p["x"] - 3)

    proposed = run(SMACTuner("minimize", seed=2), X, lambda p: -objective(p), 25)
    assert sum(p["x"] > 6 for p in proposed[10:]) < 6
    run(SMACTuner(seed=2), X, lambda p: math.nan, 13)


def test_conditions_of_the_search_space() -> None:
    space = format_search_space(SPACES["nested"])
    configuration_space = Columns(Dimensions(space), space).configuration_space
    names = dict(zip(space, (f"parameter{index}" for index in range(5)), strict=True))
    parents = {
        name: [(parent.name, condition.value) for parent, condition in zip(found, conditions, strict=True)]
        for name in configuration_space
        for found, conditions in [
            (configuration_space.parents_of[name], configuration_space.parent_conditions_of[name])
        ]
    }
    layer, kernel = names[("layer",)], names[("layer", 1, "kernel")]
    inner, rate = names[("layer", 1, "inner")], names[("layer", 1, "inner", 0, "rate")]
    assert parents == {
        layer: [],
        names[("n",)]: [],
        kernel: [(layer, 1)],
        inner: [(layer, 1)],
        rate: [(inner, 0)],
    }


def test_a_fixed_parameter_is_none_of_the_forest() -> None:
    tuner = SMACTuner("minimize", seed=1)
    run(tuner, SPACES["uniform"], lambda p: p["a"], 14)
    assert len(tuner._columns.configuration_space) == 1
    # There is nothing to model.
    fixed = {"x": {"_type": "uniform", "_value": [1, 1]}, "n": {"_type": "normal", "_value": [0, 1]}}
    run(SMACTuner(seed=1), fixed, lambda p: 1.0, 13)
    assert run(SMACTuner(seed=1), {"x": fixed["x"]}, lambda p: 1.0, 1) == [{"x": 1.0}]


def test_expected_improvement_is_large_where_results_are_good() -> None:
    space = format_search_space(X)
    rows = np.linspace(0, 1, 40)[:, np.newaxis]
    columns = Columns(Dimensions(space), space)
    forest = Forest(columns, rows, np.abs(rows[:, 0] - 0.3), np.empty((0, 1)), 1)
    improvement = forest.improvement(np.array([[0.3], [0.9]]))
    assert improvement[0] > 10 * improvement[1] >= 0
    near = np.full((5, 1), 0.3)
    with_running = Forest(columns, rows, np.abs(rows[:, 0] - 0.3), near, 1)
    assert with_running.improvement(near).mean() < forest.improvement(near).mean()


def test_log_scaled_results() -> None:
    losses = np.array([1.0, 2.0, 3.0, math.inf, -math.inf])
    scaled = log_scaled(losses)
    assert scaled[2] == scaled[3] == 0
    assert scaled[0] == scaled[4] < scaled[1] < 0
    assert np.isfinite(log_scaled(np.array([1.7e308, -1.7e308, 0.0]))).all()
    assert np.isfinite(log_scaled(np.full(3, 5.0))).all()
    assert log_scaled(np.array([math.inf, -math.inf])).tolist() == [0, -1]


def test_neighbours_differ_in_one_parameter_and_what_depends_on_it() -> None:
    dimensions = Dimensions(format_search_space(SPACES["nested"]))
    rng = np.random.default_rng(1)
    rows = dimensions.deactivate(dimensions.draw(rng, 300))
    near = neighbours(dimensions, rng, rows)
    assert np.array_equal(near, dimensions.deactivate(near.copy()), equal_nan=True)
    same_layer = near[:, 0] == rows[:, 0]
    changed = (near != rows) & ~(np.isnan(near) & np.isnan(rows))
    assert (changed[same_layer & (near[:, 2] == rows[:, 2])].sum(axis=1) <= 1).all()
    assert changed.any(axis=0).all()
    assert not np.isnan(near[near[:, 0] == 1][:, 1:3]).any()


def test_the_local_search_climbs() -> None:
    dimensions = Dimensions(format_search_space({"x": X["x"], "y": X["x"]}))
    rng = np.random.default_rng(1)
    starts = dimensions.draw(rng, 4)
    found, values = climb(lambda rows: -((rows - 0.7) ** 2).sum(axis=1), dimensions, rng, starts)
    assert np.allclose(found, 0.7, atol=0.05)
    assert (values > -0.005).all()


def test_parameters_that_are_not_whole_are_not_learned() -> None:
    tuner = SMACTuner(seed=1)
    tuner.update_search_space(XYC)
    tuner.receive_trial_result(None, {"x": 1.0}, 1.0, customized=True)
    tuner.import_data([{"parameter": {"x": 1.0, "y": 1.0, "c": "a"}, "value": 0}])
    assert tuner._rows.count == tuner._history.count == 1


def test_the_same_search_space_again_is_no_change() -> None:
    tuner = SMACTuner(seed=1)
    tuner.update_search_space(FINITE)
    (first,) = tuner.generate_multiple_parameters([0])
    tuner.update_search_space(FINITE)
    assert first not in tuner.generate_multiple_parameters(list(range(1, 20)))


def test_nothing_is_written_and_nothing_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(SMACTuner(seed=1), X, lambda p: p["x"], 13)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_its_package_is_imported_only_when_it_is_chosen() -> None:
    code = (
        "import sys; from nni_manager.algorithms.registry import check_algorithm, built_in_algorithms; "
        "check_algorithm('tuner', 'SMAC', {'seed': 1}, {}); "
        "print(sorted({'smac', 'ConfigSpace', 'optuna', 'sklearn', 'scipy', 'dask'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_arguments() -> None:
    assert check_algorithm("tuner", "smac", {"optimize_mode": "minimize", "config_dedup": True}, X) == []
    (problem,) = check_algorithm("tuner", "smac", {"config_dedup": 1}, X)
    assert "config_dedup is 1; it should be true or false" in problem
    assert FacadeTuner is SMACTuner
    SMACTuner(optimize_mode="maximize", config_dedup=True)
