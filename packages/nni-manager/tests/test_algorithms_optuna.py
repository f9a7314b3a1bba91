"""What the Optuna tuner does beyond the contract of all tuners."""

from __future__ import annotations

import logging
import math
import sys
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import optuna
import pytest
from nni.algorithms.hpo.optuna_tuner import OptunaTuner as FacadeTuner
from nni_manager.algorithms.hpo_utils import deformat_parameters, format_search_space
from nni_manager.algorithms.hpo_utils.formatting import format_known_parameters
from nni_manager.algorithms.optuna_bridge import samplers
from nni_manager.algorithms.optuna_bridge.dimensions import Dimensions
from nni_manager.algorithms.registry import check_algorithm
from nni_manager.algorithms.tuner import Tuner
from nni_manager.algorithms.tuners.optuna import OptunaTuner
from nni_manager.algorithms.tuners.random import suggest
from nni_manager.testing.search_spaces import SPACES
from numpy.random import default_rng
from optuna.trial import TrialState

X = {"x": {"_type": "uniform", "_value": [0, 10]}}
XY = {**X, "y": {"_type": "loguniform", "_value": [0.01, 100]}}
TREE = {
    "kind": {
        "_type": "choice",
        "_value": [
            {"_name": "near", "d": {"_type": "uniform", "_value": [0, 1]}},
            {"_name": "far", "d": {"_type": "uniform", "_value": [5, 6]}},
        ],
    },
}
MODELS = {"TPESampler": {}, "CmaEsSampler": {}, "NSGAIISampler": {"population_size": 10}}


def run(tuner: Tuner, space: dict[str, Any], objective: Any, count: int) -> list[Any]:
    tuner.update_search_space(space)
    proposed = []
    for parameter_id in range(count):
        proposed += tuner.generate_multiple_parameters([parameter_id])
        tuner.receive_trial_result(parameter_id, proposed[-1], objective(proposed[-1]))
        tuner.trial_end(parameter_id, True)
    return proposed


def trials_of(tuner: OptunaTuner, *states: TrialState) -> list[Any]:
    """Returns the trials as Optuna has them, without what was drawn and failed at once."""
    return tuner._trials._study.get_trials(deepcopy=False, states=states)


@pytest.mark.parametrize("sampler", MODELS)
@pytest.mark.parametrize(("mode", "sign"), [("minimize", 1), ("maximize", -1)])
def test_it_gets_close_to_the_optimum_either_way(sampler: str, mode: str, sign: int) -> None:
    def loss(p: dict[str, Any]) -> float:
        return sign * ((p["x"] - 3) ** 2 + math.log(p["y"]) ** 2)

    proposed = run(OptunaTuner(sampler, MODELS[sampler], mode, seed=1), XY, loss, 80)
    early, late = (sorted(sign * loss(p) for p in part)[5] for part in (proposed[:20], proposed[60:]))
    assert late < early / 3


def test_it_finds_the_best_branch_of_a_tree() -> None:
    def loss(p: dict[str, Any]) -> float:
        return abs(p["kind"]["d"] - 5.3)

    proposed = run(OptunaTuner(optimize_mode="minimize", seed=1), TREE, loss, 50)
    assert sum(p["kind"]["_name"] == "far" for p in proposed[25:]) > 15


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_what_optuna_has_is_what_a_trial_gets(space: dict[str, Any]) -> None:
    formatted = format_search_space(space)
    dimensions = Dimensions(formatted)
    for seed in range(20):
        parameters = deformat_parameters(suggest(default_rng(seed), formatted), formatted)
        numbers = dimensions.encode(format_known_parameters(parameters, formatted))
        assert all(dimensions.distributions[name]._contains(number) for name, number in numbers.items())
        again = deformat_parameters(dimensions.decode(numbers), formatted)
        assert str(again) == str(parameters) or again == {
            name: pytest.approx(value, rel=1e-5) for name, value in parameters.items()
        }


@pytest.mark.parametrize(
    ("value", "kind", "low", "high"),
    [
        ({"_type": "choice", "_value": ["a", "b", "c"]}, optuna.distributions.CategoricalDistribution, 0, 2),
        ({"_type": "randint", "_value": [3, 7]}, optuna.distributions.IntDistribution, 0, 3),
        ({"_type": "quniform", "_value": [0.2, 0.8, 0.3]}, optuna.distributions.IntDistribution, 1, 3),
        ({"_type": "randint", "_value": [0, 10**15]}, optuna.distributions.FloatDistribution, 0, 1),
        ({"_type": "loguniform", "_value": [1e-5, 1]}, optuna.distributions.FloatDistribution, 0, 1),
    ],
)
def test_each_type_is_the_kind_of_optuna_that_fits(value: Any, kind: type, low: float, high: float) -> None:
    ((_, distribution),) = Dimensions(format_search_space({"x": value})).distributions.items()
    assert type(distribution) is kind
    if kind is optuna.distributions.CategoricalDistribution:
        assert distribution.choices == (0, 1, 2)
    else:
        assert (distribution.low, distribution.high) == (low, high)


def test_states_of_trials() -> None:
    tuner = OptunaTuner(seed=1)
    tuner.update_search_space(X)
    first, second, third, _ = tuner.generate_multiple_parameters([0, 1, 2, 3])
    tuner.receive_trial_result(0, first, {"default": 4, "text": "x"})
    tuner.receive_trial_result(1, second, math.nan)
    tuner.receive_trial_result(2, third, "no number")
    for parameter_id, success in ((0, True), (1, True), (2, True), (3, False)):
        tuner.trial_end(parameter_id, success)
    tuner.generate_multiple_parameters([4])
    assert [trial.value for trial in trials_of(tuner, TrialState.COMPLETE)] == [-4.0, math.inf]
    assert len(trials_of(tuner, TrialState.RUNNING)) == 1
    # Five drafts, and two trials without a result.
    assert len(trials_of(tuner, TrialState.FAIL)) == 7


def test_running_trials_keep_tpe_away() -> None:
    tuner = OptunaTuner("TPESampler", {"n_startup_trials": 5}, "minimize", seed=1)
    run(tuner, X, lambda p: abs(p["x"] - 3), 30)
    at_once = sorted(p["x"] for p in tuner.generate_multiple_parameters(list(range(30, 38))))
    assert at_once[-1] - at_once[0] > 0.5
    assert all(round(a, 3) != round(b, 3) for a, b in pairwise(at_once))


def test_late_double_and_unknown_results_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    tuner = OptunaTuner(seed=1)
    tuner.update_search_space(X)
    (first,) = tuner.generate_multiple_parameters([0])
    tuner.receive_trial_result(0, first, 1.0)
    with caplog.at_level(logging.WARNING):
        tuner.receive_trial_result(0, first, 2.0)
        tuner.receive_trial_result(7, first, 3.0)
    assert [trial.value for trial in trials_of(tuner, TrialState.COMPLETE)] == [-1.0]
    assert "A result under the id 7 is ignored (2 so far): no such trial is running" in caplog.text


def test_parameters_of_a_user_and_imported_ones_are_learned() -> None:
    tuner = OptunaTuner(optimize_mode="minimize", seed=1)
    tuner.update_search_space(XY)
    tuner.receive_trial_result(None, {"x": 3, "y": 1}, 5, customized=True)
    tuner.import_data([{"parameter": {"x": 4.0, "y": 2.0}, "value": 6}, {"parameter": {"z": 1}, "value": 1}])
    assert [(len(trial.params), trial.value) for trial in trials_of(tuner, TrialState.COMPLETE)] == [
        (2, 5.0),
        (2, 6.0),
    ]


def test_other_parameters_than_proposed_are_those_learned() -> None:
    tuner = OptunaTuner(optimize_mode="minimize", seed=1)
    tuner.update_search_space(X)
    tuner.generate_multiple_parameters([0])
    tuner.receive_trial_result(0, {"x": 7.5}, 1.0)
    (trial,) = trials_of(tuner, TrialState.COMPLETE)
    assert list(trial.params.values()) == [0.75]


@pytest.mark.parametrize(("sampler", "kept"), [("TPESampler", 30), ("CmaEsSampler", 0)])
def test_a_new_parameter_and_what_is_known(sampler: str, kept: int) -> None:
    tuner = OptunaTuner(sampler, optimize_mode="minimize", seed=1)
    run(tuner, X, lambda p: abs(p["x"] - 3), 30)
    tuner.update_search_space(XY)
    assert len(trials_of(tuner, TrialState.COMPLETE)) == kept
    tuner.update_search_space({"x": {"_type": "uniform", "_value": [0, 20]}})
    assert len(trials_of(tuner, TrialState.COMPLETE)) == kept


@pytest.mark.parametrize(
    ("class_args", "expected"),
    [
        ({"sampler": "tpe"}, "sampler 'tpe' is unknown; did you mean TPESampler? available are: TPESampler,"),
        ({"sampler": "GridSampler"}, "the tuner GridSearch does this"),
        ({"sampler_args": [1]}, "sampler_args is [1]; it should be an object, or null"),
        ({"sampler_args": {"n_startup": 1}}, "unknown argument 'n_startup'; TPESampler takes"),
        ({"sampler_args": {"gamma": 0.1}}, "unknown argument 'gamma'"),
        ({"sampler_args": {"n_startup_trials": 2.5}}, "n_startup_trials is 2.5; it should be an integer"),
        ({"sampler_args": {"multivariate": 1}}, "multivariate is 1; it should be true or false"),
        ({"sampler_args": {"n_ei_candidates": 0}}, "must be positive"),
        ({"sampler_args": {"seed": 1}}, "the seed is the argument seed of the tuner"),
        ({"sampler": "CmaEsSampler", "sampler_args": {"popsize": -1}}, "popsize must be non-zero positive"),
        ({"sampler": "RandomSampler", "sampler_args": {"a": 1}}, "RandomSampler takes no arguments"),
    ],
)
def test_what_is_wrong_is_named_before_anything_starts(class_args: dict[str, Any], expected: str) -> None:
    (problem,) = check_algorithm("tuner", "optuna", class_args, X)
    assert problem.startswith("tuner Optuna: ")
    assert expected in problem
    if isinstance(class_args.get("sampler_args", {}), dict):
        with pytest.raises(ValueError, match="sampler"):
            OptunaTuner(**class_args)


@pytest.mark.parametrize(
    ("sampler", "package"), [("CmaEsSampler", "cmaes"), ("GPSampler", "torch"), ("QMCSampler", "scipy")]
)
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, sampler: str, package: str) -> None:
    monkeypatch.setattr(samplers, "find_spec", lambda name: None if name == package else find_spec(name))
    (problem,) = check_algorithm("tuner", "Optuna", {"sampler": sampler}, X)
    assert f"sampler {sampler} needs {package}" in problem
    assert sys.executable in problem
    assert f"pip install {package}" in problem


def test_without_optuna_its_samplers_are_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "find_spec", lambda name: None)
    assert samplers.sampler_problems("TPESampler", {"anything": 1}) == []
    assert samplers.sampler_problems("TPE", None) != []


def test_row_108_a_sampler_is_chosen_in_the_configuration() -> None:
    """Row 108."""
    class_args = {"sampler": "CmaEsSampler", "sampler_args": {"popsize": 6}, "seed": 3}
    assert check_algorithm("tuner", "optuna", class_args, SPACES["mixed"]) == []


def test_it_is_there_by_hand() -> None:
    assert FacadeTuner is OptunaTuner


def test_optuna_says_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    for sampler in ("TPESampler", "CmaEsSampler", "QMCSampler"):
        run(OptunaTuner(sampler, seed=1), TREE, lambda p: p["kind"]["d"], 15)
    assert capfd.readouterr().err == ""


def test_the_largest_numbers_are_results_like_others() -> None:
    """NSGA-III works out multiples of the range of results, which would be infinite."""
    tuner = OptunaTuner("NSGAIIISampler", {"population_size": 4}, seed=1)
    tuner.update_search_space({"x": {"_type": "uniform", "_value": [0, 1]}})
    for parameter_id in range(16):
        parameters = tuner.generate_parameters(parameter_id)
        tuner.receive_trial_result(parameter_id, parameters, (-1) ** parameter_id * 1.7e308)
        tuner.trial_end(parameter_id, True)
