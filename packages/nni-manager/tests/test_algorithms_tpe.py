"""What TPE and random search do beyond the contract of all tuners."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import numpy as np
import pytest
from nni_manager.algorithms.hpo_utils import format_search_space
from nni_manager.algorithms.parzen.dimensions import Dimensions
from nni_manager.algorithms.parzen.kernels import Kernels
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.grid_search import GridSearchTuner
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.algorithms.tuners.tpe import TpeTuner
from nni_manager.testing.search_spaces import SPACES

X = {"x": {"_type": "uniform", "_value": [0, 10]}}
TREE = {
    "kind": {
        "_type": "choice",
        "_value": [
            {"_name": "near", "d": {"_type": "uniform", "_value": [0, 1]}},
            {
                "_name": "far",
                "d": {"_type": "uniform", "_value": [5, 6]},
                "e": {"_type": "normal", "_value": [0, 1]},
            },
        ],
    },
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
    proposed = run(TpeTuner(mode, seed=1), X, lambda p: sign * (p["x"] - 3) ** 2, 60)
    assert min(abs(p["x"] - 3) for p in proposed[30:]) < 0.05
    assert np.median([abs(p["x"] - 3) for p in proposed[40:]]) < 1


def test_it_finds_the_best_branch_of_a_tree() -> None:
    def objective(p: dict[str, Any]) -> float:
        kind = p["kind"]
        inner = (
            1 + (kind["d"] - 0.3) ** 2 if kind["_name"] == "near" else (kind["d"] - 5.7) ** 2 + kind["e"] ** 2
        )
        return {"a": 0.3, "b": 0.2, "c": 0.0}[p["c"]] + inner

    proposed = run(TpeTuner(seed=3), TREE, objective, 100)
    late = proposed[60:]
    assert sum(p["kind"]["_name"] == "far" for p in late) > 30
    assert min(objective(p) for p in late) < 0.05


@pytest.mark.parametrize(("mode", "sign"), [("maximize", -1), ("minimize", 1)])
def test_nan_is_avoided_and_never_the_best(mode: str, sign: int) -> None:
    def objective(p: dict[str, Any]) -> float:
        return math.nan if p["x"] > 5 else sign * abs(p["x"] - 3)

    proposed = run(TpeTuner(mode, seed=2), X, objective, 60)
    assert sum(p["x"] > 5 for p in proposed[:20]) > 5
    assert sum(p["x"] > 5 for p in proposed[30:]) < 5


@pytest.mark.parametrize(
    ("liar", "good_is_denser", "others_are_denser"),
    [(None, False, False), ("worst", False, True), ("mean", False, True), ("best", True, False)],
)
def test_running_trials_count_as_the_liar_says(
    liar: str | None, good_is_denser: bool, others_are_denser: bool
) -> None:
    tuner = TpeTuner(seed=1, tpe_args={"constant_liar_type": liar})
    run(tuner, X, lambda p: (p["x"] - 3) ** 2, 40)
    place = np.array([[0.8]])
    before = [mixture.log_density(place)[0] for mixture in tuner._densities()[1:]]
    tuner._pending = {100 + number: place[0] for number in range(5)}
    after = [mixture.log_density(place)[0] for mixture in tuner._densities()[1:]]
    assert [new > old + 0.1 for new, old in zip(after, before, strict=True)] == [
        good_is_denser,
        others_are_denser,
    ]


def test_results_for_trials_that_are_not_running_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tuner = TpeTuner(seed=1)
    tuner.update_search_space(X)
    (parameters,) = tuner.generate_multiple_parameters([0])
    tuner.receive_trial_result(7, {"x": 1.0}, 1.0)
    tuner.receive_trial_result(0, parameters, "nothing")
    assert tuner._history.count == 0
    tuner.receive_trial_result(0, parameters, 1.0)
    tuner.receive_trial_result(0, parameters, 2.0)
    assert list(tuner._history.losses) == [1.0]
    assert caplog.text.count("is ignored") == 3
    assert "A result under the id 7 is ignored (1 so far): no such trial is running" in caplog.text
    assert "A result under the id 0 is ignored (3 so far)" in caplog.text


def test_a_trial_that_ended_without_a_result_is_forgotten() -> None:
    tuner = TpeTuner(seed=1)
    tuner.update_search_space(X)
    tuner.generate_multiple_parameters([0, 1])
    tuner.trial_end(0, False)
    assert list(tuner._pending) == [1]
    assert tuner._history.count == 0


def test_imported_and_customized_results_are_learned_from_zero_included() -> None:
    tuner = TpeTuner("maximize", seed=1)
    tuner.update_search_space(X)
    tuner.import_data(
        [{"parameter": {"x": 3.0}, "value": 0}, {"parameter": {"x": 4.0}, "value": {"default": 2}}]
    )
    tuner.receive_trial_result(None, {"x": 5.0, "other": 1}, 7, customized=True)
    tuner.import_data([{"parameter": {"x": 11}, "value": 1}, {"parameter": {"x": 1}, "value": None}])
    assert list(tuner._history.losses) == [0, -2, -7]
    assert list(tuner._history.rows[:, 0]) == pytest.approx([0.3, 0.4, 0.5])


def test_imported_points_of_a_finite_space_are_not_proposed() -> None:
    tuner = TpeTuner(seed=1)
    tuner.update_search_space({"x": {"_type": "choice", "_value": [1, 2, 3]}})
    tuner.import_data([{"parameter": {"x": 2}, "value": 0}])
    assert sorted(p["x"] for p in tuner.generate_multiple_parameters([0, 1, 2])) == [1, 3]


def test_what_cannot_be_imported_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    records: list[Any] = [
        {"parameter": {"x": 3.0}, "value": {"default": 1.0, "loss": 2.0}},
        {"parameter": {"x": 4.0}, "value": math.nan},
        {"parameter": {"x": 4.0}, "value": {"loss": 2.0}},
        {"parameter": {"x": 4.0}, "value": None},
        {"parameter": {"other": 4.0}, "value": 1.0},
        {"parameter": "text", "value": 1.0},
        {"parameter": {"x": 10**400}, "value": 1.0},
        {"value": 1.0},
        "nothing",
    ]
    for tuner, of_no_use in ((TpeTuner(seed=1), 7), (RandomTuner(seed=1), 5), (GridSearchTuner(), 5)):
        tuner.update_search_space(X)
        tuner.import_data(records)
        assert caplog.messages[-1] == f"9 results were imported, {of_no_use} of them are of no use."


def test_a_trial_that_ran_with_other_parameters_is_learned_as_it_ran() -> None:
    tuner = TpeTuner(seed=1)
    tuner.update_search_space(X)
    tuner.generate_parameters(0)
    tuner.receive_trial_result(0, {"x": 7.5}, 1.0)
    assert list(tuner._history.rows[:, 0]) == [0.75]
    assert tuner._pending == {}


def test_random_numbers_depend_on_the_id_alone() -> None:
    for make in (lambda seed: RandomTuner(seed=seed), lambda seed: TpeTuner(seed=seed)):
        forward, backward, other = make(1), make(1), make(2)
        for tuner in (forward, backward, other):
            tuner.update_search_space(X)
        first = {number: forward.generate_parameters(number) for number in range(10)}
        assert first == {number: backward.generate_parameters(number) for number in reversed(range(10))}
        assert len({parameters["x"] for parameters in first.values()}) == 10
        assert other.generate_parameters(0) != first[0]


def test_a_changed_space_keeps_what_is_known() -> None:
    tuner = TpeTuner(seed=1, tpe_args={"n_startup_jobs": 5})
    run(tuner, X, lambda p: p["x"], 20)
    tuner.generate_multiple_parameters([50])
    inside = sum(tuner._history.rows[:, 0] <= 0.5)
    tuner.update_search_space(
        {"x": {"_type": "uniform", "_value": [0, 5]}, "y": {"_type": "choice", "_value": [1, 2]}}
    )
    assert tuner._history.count == inside
    assert np.isnan(tuner._history.rows[:, 1]).all()
    tuner.receive_trial_result(50, {"x": 1.0}, 0.5)
    assert tuner._history.count == inside + 1


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="best"):
        TpeTuner(optimize_mode="best")
    with pytest.raises(TypeError, match="gama"):
        TpeTuner(tpe_args={"gama": 1})


def test_a_drawn_seed_is_logged_and_repeats_the_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first = run(TpeTuner(), X, lambda p: p["x"], 30)
    seed = int(caplog.messages[0].split()[-1].rstrip("."))
    assert run(TpeTuner(seed=seed), X, lambda p: p["x"], 30) == first
    assert run(TpeTuner(seed=seed + 1), X, lambda p: p["x"], 30) != first


def test_random_search_follows_the_distributions() -> None:
    space = {
        "u": {"_type": "uniform", "_value": [0, 1]},
        "l": {"_type": "loguniform", "_value": [1e-4, 1]},
        "n": {"_type": "normal", "_value": [5, 2]},
        "c": {"_type": "choice", "_value": ["a", "b"]},
    }
    proposed = run(RandomTuner(seed=1), space, lambda p: 0, 2000)
    assert np.mean([p["u"] for p in proposed]) == pytest.approx(0.5, abs=0.03)
    assert np.median([p["l"] for p in proposed]) == pytest.approx(1e-2, rel=0.4)
    assert np.std([p["n"] for p in proposed]) == pytest.approx(2, abs=0.15)
    assert np.mean([p["c"] == "a" for p in proposed]) == pytest.approx(0.5, abs=0.05)


def test_random_search_gives_all_points_of_a_finite_space() -> None:
    space = {name: {"_type": "randint", "_value": [0, 3]} for name in "ab"}
    proposed = run(RandomTuner(seed=1), space, lambda p: 0, 9)
    assert len({json.dumps(p) for p in proposed}) == 9


def densities(
    space: dict[str, Any], seed: int, width: float
) -> tuple[Dimensions, Kernels, np.random.Generator]:
    rng = np.random.default_rng(seed)
    dimensions = Dimensions(format_search_space(space))
    kernels = Kernels(dimensions, width, 0.3)
    for count in (3, 1, 70):
        kernels.append(dimensions.deactivate(dimensions.draw(rng, count)))
    return dimensions, kernels, rng


@pytest.mark.parametrize("space", [SPACES["mixed"], TREE, SPACES["nested"]], ids=["mixed", "tree", "nested"])
def test_the_densities_are_the_sums_of_products_of_the_definition(space: dict[str, Any]) -> None:
    dimensions, kernels, rng = densities(space, 5, 0.2)
    rng_rows = np.random.default_rng(5)
    rows = np.concatenate([dimensions.deactivate(dimensions.draw(rng_rows, count)) for count in (3, 1, 70)])
    points = dimensions.deactivate(dimensions.draw(rng, 5))
    found = kernels.log_densities(points)
    for point, log_densities in zip(points, found, strict=True):
        for row, log_density in zip(rows, log_densities, strict=True):
            expected = sum(
                math.log(factor(dimensions, column, number, center))
                for column, (number, center) in enumerate(zip(point, row, strict=True))
                if not math.isnan(number)
            )
            assert log_density == pytest.approx(expected, abs=2e-4)


def factor(dimensions: Dimensions, column: int, number: float, center: float) -> float:
    """The factor of one parameter in a kernel of width 0.2 and spread 0.3."""
    dimension = dimensions.columns[column]
    if dimension.option_count:
        uniform = 1 / dimension.option_count
        return uniform if math.isnan(center) else 0.7 * (number == center) + 0.3 * uniform
    if math.isnan(center):
        return 1.0 if dimension.is_bounded else normal(number, 0, 1)
    mass = cdf((1 - center) / 0.2) - cdf(-center / 0.2) if dimension.is_bounded else 1
    return normal(number, center, 0.2) / mass


def normal(number: float, mean: float, deviation: float) -> float:
    return math.exp(-0.5 * ((number - mean) / deviation) ** 2) / deviation / math.sqrt(2 * math.pi)


def cdf(number: float) -> float:
    return 0.5 * (1 + math.erf(number / math.sqrt(2)))
