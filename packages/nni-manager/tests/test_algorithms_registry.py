"""Names and arguments of built-in algorithms, checked before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from nni_config.algorithms import BUILT_IN_ALGORITHMS
from nni_manager.algorithms.built_ins import BUILT_INS
from nni_manager.algorithms.hpo_utils.validation import points_problems
from nni_manager.algorithms.registry import check_algorithm, find_algorithm
from nni_manager.algorithms.tuner import Tuner

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}}


@pytest.mark.parametrize("name", ["TPE", "tpe", "Random", "GridSearch", "gridsearch"])
def test_names_in_any_case(name: str) -> None:
    built_in = find_algorithm("tuner", name)
    assert issubclass(built_in.load(), Tuner)
    assert check_algorithm("tuner", name, {"optimize_mode": "maximize"}, SPACE) == []
    assert check_algorithm("tuner", name, None, SPACE) == []


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("tuner", "PPOTuner", "architecture search"),
        (
            "tuner",
            "gridsearchh",
            "did you mean GridSearch? available are: TPE, TPE_legacy, Anneal, Random",
        ),
        (
            "tuner",
            "nothing",
            "tuner 'nothing' is unknown; available are: TPE, TPE_legacy, Anneal, Random",
        ),
        ("assessor", "TPE", "assessor 'TPE' is unknown; available are: Medianstop, Curvefitting"),
    ],
)
def test_other_names_are_answered_with_what_there_is(kind: str, name: str, expected: str) -> None:
    (problem,) = check_algorithm(kind, name, None, SPACE)
    assert expected in problem


@pytest.mark.parametrize(
    ("name", "class_args", "expected"),
    [
        (
            "TPE",
            {"optimise_mode": "minimize"},
            "tuner TPE: unknown argument 'optimise_mode'; it takes optimize_mode,",
        ),
        (
            "TPE",
            {"optimize_mode": "best"},
            "optimize_mode is 'best'; it should be one of 'minimize', 'maximize'",
        ),
        ("TPE", {"seed": 1.5}, "seed is 1.5; it should be an integer of at least 0, or null"),
        ("TPE", {"seed": True}, "seed is True"),
        ("Random", {"seed": -1}, "seed is -1"),
        ("GridSearch", {"seeds": 1}, "unknown argument 'seeds'; it takes optimize_mode, seed"),
        ("TPE", {"tpe_args": 3}, "an object with constant_liar_type, n_startup_jobs"),
        ("TPE", {"tpe_args": {"gama": 3}}, "unknown argument 'gama'"),
        (
            "TPE",
            {"tpe_args": {"n_startup_jobs": 0}},
            "n_startup_jobs is 0; it should be an integer of at least 1",
        ),
        ("TPE", {"tpe_args": {"constant_liar_type": "none"}}, "one of 'best', 'worst', 'mean', null"),
    ],
)
def test_a_wrong_argument_is_named(name: str, class_args: dict[str, Any], expected: str) -> None:
    (problem,) = check_algorithm("tuner", name, class_args, SPACE)
    assert expected in problem


def test_right_arguments_have_no_problems() -> None:
    tpe_args = {
        "constant_liar_type": None,
        "n_startup_jobs": 1,
        "n_ei_candidates": 1,
        "linear_forgetting": 25,
        "prior_weight": 1,
        "gamma": 0.25,
    }
    class_args = {"seed": None, "optimize_mode": "minimize", "tpe_args": tpe_args}
    assert check_algorithm("tuner", "TPE", class_args, SPACE) == []
    find_algorithm("tuner", "TPE").load()(**class_args)
    assert check_algorithm("tuner", "TPE", {"tpe_args": None}, SPACE) == []


def test_everything_wrong_is_told_at_once() -> None:
    problems = check_algorithm(
        "tuner", "Random", {"a": 1, "b": 2}, {"x": {"_type": "uniform", "_value": [1, 0]}}
    )
    assert len(problems) == 3


def test_a_missing_package_is_named_with_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nni_manager.algorithms.built_ins.find_spec", lambda name: None)
    (problem,) = check_algorithm("tuner", "GP", None, SPACE)
    assert problem.startswith("tuner GP: it needs sklearn and scipy, not installed for ")
    assert problem.endswith('install with: pip install "nni-manager[GP]"')
    assert check_algorithm("tuner", "TPE", None, SPACE) == []


def test_configurations_know_the_same_algorithms() -> None:
    here = [(it.name, it.kind, it.aliases) for it in BUILT_INS]
    assert [(it.name, it.kind, it.aliases) for it in BUILT_IN_ALGORITHMS] == here
    takers = [it.name for it in BUILT_INS if it.space_problems is points_problems]
    assert [it.name for it in BUILT_IN_ALGORITHMS if it.takes_points] == takers == ["Batch"]
