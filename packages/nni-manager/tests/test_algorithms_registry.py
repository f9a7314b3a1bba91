"""Names and arguments of built-in algorithms, checked before anything starts."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

import pytest
from nni_config.algorithms import BUILT_IN_ALGORITHMS
from nni_manager.algorithms.built_ins import BUILT_INS, BuiltIn
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
        (
            "TPE",
            {"tpe_args": {"gama": 3}},
            "tuner TPE: tpe_args: unknown argument 'gama'; it takes constant_liar",
        ),
        (
            "TPE",
            {"tpe_args": {"n_startup_jobs": 0}},
            "tuner TPE: tpe_args: n_startup_jobs is 0; it should be an integer of at least 1",
        ),
        ("TPE", {"seed": 2**63}, f"it should be an integer from 0 to {2**63 - 1}"),
        ("GP", {"kappa": float("inf")}, "kappa is inf; it should be a finite number of at least 0.0"),
        ("GP", {"kappa": float("nan")}, "kappa is nan; it should be a number of at least 0.0"),
        ("GP", {"kappa": 10**400}, f"it should be a number from 0.0 to {2**63 - 1}"),
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


NNIS_DEFAULTS: dict[str, dict[str, Any]] = {
    "TPE": {
        "optimize_mode": "minimize",
        "seed": None,
        "tpe_args": {
            "constant_liar_type": "best",
            "n_startup_jobs": 20,
            "n_ei_candidates": 24,
            "linear_forgetting": 25,
            "prior_weight": 1.0,
            "gamma": 0.25,
        },
    },
    "TPE_legacy": {"optimize_mode": "minimize", "parallel_optimize": False, "constant_liar_type": "min"},
    "Anneal": {"optimize_mode": "minimize", "parallel_optimize": False, "constant_liar_type": "min"},
    "Random": {"seed": None, "optimize_mode": None},
    "GridSearch": {"optimize_mode": None},
    "Batch": {},
    "Evolution": {"optimize_mode": "maximize", "population_size": 32},
    "PBT": {
        "optimize_mode": "maximize",
        "all_checkpoint_dir": None,
        "population_size": 10,
        "factor": 0.2,
        "resample_probability": 0.25,
        "fraction": 0.2,
    },
    "SMAC": {"optimize_mode": "maximize", "config_dedup": False},
    "GP": {
        "optimize_mode": "maximize",
        "utility": "ei",
        "kappa": 5,
        "xi": 0,
        "nu": 2.5,
        "alpha": 1e-6,
        "cold_start_num": 10,
        "selection_num_warm_up": 100000,
        "selection_num_starting_points": 250,
    },
    "Metis": {
        "optimize_mode": "maximize",
        "no_resampling": True,
        "no_candidates": False,
        "selection_num_starting_points": 600,
        "cold_start_num": 10,
        "exploration_probability": 0.9,
    },
    "DNGO": {
        "optimize_mode": "maximize",
        "sample_size": 1000,
        "trials_per_update": 20,
        "num_epochs_per_training": 500,
    },
    "Hyperband": {"optimize_mode": "maximize", "R": 60, "eta": 3, "exec_mode": "parallelism"},
    "BOHB": {
        "optimize_mode": "maximize",
        "min_budget": 1,
        "max_budget": 3,
        "eta": 3,
        "min_points_in_model": None,
        "top_n_percent": 15,
        "num_samples": 64,
        "random_fraction": 1 / 3,
        "bandwidth_factor": 3,
        "min_bandwidth": 1e-3,
        "config_space": None,
    },
    "Medianstop": {"optimize_mode": "maximize", "start_step": 0},
    "Curvefitting": {"epoch_num": 20, "start_step": 6, "threshold": 0.95, "gap": 1},
}
"""What NNI's algorithms are made with where nobody says anything."""
OURS = {
    "TPE": {},
    "TPE_legacy": {"seed"},
    "Anneal": {"seed"},
    "GridSearch": {"seed"},
    "Batch": {"optimize_mode", "seed"},
    "Evolution": {"seed"},
    "PBT": {"seed"},
    "SMAC": {"seed"},
    "GP": {"seed"},
    "Metis": {"seed"},
    "DNGO": {"seed"},
    "Hyperband": {"seed", "repeat"},
    "BOHB": {"seed", "repeat"},
    "Curvefitting": {"optimize_mode"},
}
"""What they take besides."""


@pytest.mark.parametrize("name", NNIS_DEFAULTS)
def test_nnis_arguments_have_nnis_defaults(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NNI_CHECKPOINT_DIRECTORY", str(tmp_path))
    (built_in,) = (it for it in BUILT_INS if it.name == name)
    defaults = NNIS_DEFAULTS[name]
    space = {"p": {"_type": "choice", "_value": [{"x": 1}]}} if name == "Batch" else SPACE
    assert check_algorithm(built_in.kind, name, defaults, space) == []
    assert built_in.arguments.keys() - defaults.keys() == set(OURS.get(name, ()))
    signature = inspect.signature(built_in.load())
    positions = [it for it in signature.parameters if it in defaults]
    assert positions == list(defaults)
    for argument, default in defaults.items():
        if argument != "tpe_args":
            assert signature.parameters[argument].default == default, argument
    built_in.load()(**built_in.fixed_arguments, **defaults)


@pytest.mark.parametrize(
    ("name", "argument"), [(it.name, argument) for it in BUILT_INS for argument in it.arguments]
)
def test_no_argument_takes_anything(name: str, argument: str) -> None:
    (built_in,) = (it for it in BUILT_INS if it.name == name)
    space = {"p": {"_type": "choice", "_value": [{"x": 1}]}} if name == "Batch" else SPACE
    problems = check_algorithm(built_in.kind, name, {argument: object()}, space)
    assert any(problem.startswith(f"{built_in.kind} {name}: {argument} is <object") for problem in problems)
    for unknown in (f"{argument}s", argument.title()):
        if unknown != argument:
            problems = check_algorithm(built_in.kind, name, {unknown: 1}, space)
            assert problems[0].startswith(f"{built_in.kind} {name}: unknown argument {unknown!r}; it takes ")


def test_everything_wrong_is_told_at_once() -> None:
    problems = check_algorithm(
        "tuner", "Random", {"a": 1, "b": 2}, {"x": {"_type": "uniform", "_value": [1, 0]}}
    )
    assert len(problems) == 3


@pytest.mark.parametrize("built_in", [it for it in BUILT_INS if it.packages], ids=lambda it: it.name)
def test_a_missing_package_is_named_with_its_installation(
    built_in: BuiltIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_manager.algorithms.built_ins.find_spec", lambda name: None)
    (problem,) = check_algorithm(built_in.kind, built_in.name, None, SPACE)
    needed = " and ".join(built_in.packages)
    assert problem.startswith(
        f"{built_in.kind} {built_in.name}: it needs {needed}, not installed for {sys.executable}"
    )
    assert problem.endswith(f'install with: pip install "nni-manager[{built_in.extra}]"')
    assert check_algorithm("tuner", "TPE", None, SPACE) == []


def test_the_extras_that_are_named_are_there() -> None:
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    extras = project.partition("[project.optional-dependencies]")[2]
    for built_in in BUILT_INS:
        assert not built_in.packages or f"\n{built_in.extra} = [" in extras


def test_configurations_know_the_same_algorithms() -> None:
    here = [(it.name, it.kind, it.aliases) for it in BUILT_INS]
    assert [(it.name, it.kind, it.aliases) for it in BUILT_IN_ALGORITHMS] == here
    takers = [it.name for it in BUILT_INS if it.space_problems is points_problems]
    assert [it.name for it in BUILT_IN_ALGORITHMS if it.takes_points] == takers == ["Batch"]
