"""Parameters that are tried first must be within the search space of a built-in tuner."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_config import AlgorithmConfig, CustomAlgorithmConfig, ExperimentConfig, InvalidConfigError

SPACE: dict[str, Any] = {
    "lr": {"_type": "loguniform", "_value": [1e-4, 0.1]},
    "units": {"_type": "randint", "_value": [16, 256]},
    "dropout": {"_type": "quniform", "_value": [0.0, 0.55, 0.1]},
    "even": {"_type": "quniform", "_value": [0, 10, 2]},
    "mean": {"_type": "normal", "_value": [0, 1]},
    "steps": {"_type": "qnormal", "_value": [0, 1, 0.5]},
    "width": {"_type": "lognormal", "_value": [0, 1]},
    "rounded": {"_type": "qlognormal", "_value": [0, 1, 0.5]},
    "optimizer": {"_type": "choice", "_value": ["sgd", "adam", 1, True, None, [1, {"a": 2}]]},
    "layer": {
        "_type": "choice",
        "_value": [
            {"_name": "empty"},
            {"_name": "conv", "kernel": {"_type": "choice", "_value": [1, 3]}},
        ],
    },
    "group": {"a": {"_type": "uniform", "_value": [0, 1]}, "b": {"_type": "uniform", "_value": [0, 1]}},
}

WITHIN: list[dict[str, Any]] = [
    {},
    {"lr": 1e-4},
    {"lr": 0.1, "units": 16},
    {"units": 255},
    {"dropout": 0.1 + 0.2},
    {"dropout": 0.55},
    {"dropout": 0},
    {"even": 10},
    {"mean": -1e300},
    {"steps": -1.5},
    {"width": 1e-300},
    {"rounded": 0},
    {"optimizer": "sgd"},
    {"optimizer": 1.0},
    {"optimizer": True},
    {"optimizer": None},
    {"optimizer": [1, {"a": 2.0}]},
    {"layer": {"_name": "empty"}},
    {"layer": {"_name": "conv", "kernel": 3}},
    {"group": {"a": 0, "b": 1}},
]

# What is wrong, the place of it, and what must be said.
OUTSIDE: list[tuple[dict[str, Any], str, str]] = [
    ({"lr": 0.2}, "lr", "0.2 is not within the search space; allowed is a number from 0.0001 to 0.1"),
    ({"lr": "0.01"}, "lr", "allowed is a number from"),
    ({"lr": True}, "lr", "allowed is a number from"),
    ({"lr": None}, "lr", "allowed is a number from"),
    ({"lr": float("nan")}, "lr", "allowed is a number from"),
    ({"l": 0.01}, "l", "the search space does not name it; allowed: lr, units, dropout"),
    ({"optimiser": "sgd"}, "optimiser", "did you mean optimizer?"),
    ({"units": 256}, "units", "a whole number from 16 up to but without 256"),
    ({"units": 17.0}, "units", "a whole number"),
    ({"dropout": 0.25}, "dropout", "from 0.0 to 0.55, a multiple of 0.1 or one of these two"),
    ({"dropout": 0.6}, "dropout", "to 0.55"),
    ({"even": 3}, "even", "a whole number from 0 to 10, a multiple of 2"),
    ({"even": 4.0}, "even", "a whole number"),
    ({"mean": float("inf")}, "mean", "allowed is a number"),
    ({"steps": 0.3}, "steps", "allowed is a number, a multiple of 0.5"),
    ({"width": 0}, "width", "a number above 0"),
    ({"rounded": -0.5}, "rounded", "a number from 0, a multiple of 0.5"),
    ({"optimizer": "SGD"}, "optimizer", "'SGD' is no option; allowed: 'sgd', 'adam', 1"),
    ({"optimizer": False}, "optimizer", "is no option"),
    ({"optimizer": [True, {"a": 2}]}, "optimizer", "is no option"),
    ({"layer": "conv"}, "layer", "an object with _name: 'empty', 'conv'"),
    ({"layer": {"kernel": 1}}, "layer", "an object with _name"),
    ({"layer": {"_name": "dense"}}, "layer._name", "'dense' is no option's name; allowed: 'empty', 'conv'"),
    ({"layer": {"_name": "conv", "kernel": 2}}, "layer.kernel", "2 is no option; allowed: 1, 3"),
    ({"layer": {"_name": "conv"}}, "layer.kernel", "it is missing"),
    ({"layer": {"_name": "empty", "kernel": 1}}, "layer.kernel", "does not name it; allowed: none"),
    ({"group": {"a": 0.5}}, "group.b", "it is missing"),
    ({"group": 5}, "group", "5 is not a group; allowed are a, b with values"),
    ({"group": {"a": 2, "b": 0}}, "group.a", "from 0 to 1"),
]


@pytest.fixture
def config(valid_config: ExperimentConfig) -> ExperimentConfig:
    valid_config.search_space = SPACE
    return valid_config


def problems_of(config: ExperimentConfig) -> list[str]:
    try:
        config.validate()
    except InvalidConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("parameters", WITHIN)
def test_what_is_within_the_space_is_accepted(config: ExperimentConfig, parameters: dict[str, Any]) -> None:
    config.initial_parameters = [parameters]
    assert config.canonical_copy().initial_parameters == [parameters]


@pytest.mark.parametrize(("parameters", "place", "said"), OUTSIDE)
def test_what_is_outside_is_named(
    config: ExperimentConfig, parameters: dict[str, Any], place: str, said: str
) -> None:
    config.initial_parameters = [{}, {}, parameters]
    (problem,) = problems_of(config)
    assert problem.startswith(f"initial_parameters[2].{place}: ")
    assert said in problem


def test_every_problem_is_told_at_once_in_the_files_words(config: ExperimentConfig, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yml"
    path.write_text(
        "searchSpace: {lr: {_type: uniform, _value: [0, 1]}}\n"
        "trialCommand: a\ntrialConcurrency: 1\ntuner: {name: TPE}\ntrainingService: {platform: local}\n"
        "initialParameters:\n  - lr: 0.5\n  - lr: 5\n  - lr: 0.5\n    rate: 1\n"
    )
    assert problems_of(ExperimentConfig.load(path)) == [
        f"{path}:8: initialParameters[1].lr: 5 is not within the search space; "
        "allowed is a number from 0 to 1",
        f"{path}:10: initialParameters[2].rate: the search space does not name it; allowed: lr",
    ]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"lr": 0.1}, "initial_parameters"),
        ("lr", "initial_parameters"),
        ([{"lr": 0.1}, 5], "initial_parameters[1]"),
        ([None], "initial_parameters[0]"),
        ([[{"lr": 0.1}]], "initial_parameters[0]"),
    ],
)
def test_only_a_list_of_objects_is_accepted(config: ExperimentConfig, given: Any, place: str) -> None:
    with pytest.raises(InvalidConfigError, match="allowed is a list of objects") as error:
        config.initial_parameters = given
    assert str(error.value).startswith(f"{place}: ")


def test_what_json_cannot_hold_is_named(config: ExperimentConfig) -> None:
    config.initial_parameters = [{"optimizer": object()}]
    (problem,) = problems_of(config)
    assert problem.startswith("initial_parameters[0].optimizer: ")


def test_an_empty_list_says_the_same_as_none(config: ExperimentConfig) -> None:
    expected = config.json()
    config.initial_parameters = []
    assert config.json() == expected
    assert config.canonical_copy().initial_parameters is None


def test_changes_made_to_the_list_later_are_seen(config: ExperimentConfig) -> None:
    config.initial_parameters = given = []
    given.append({"lr": 0.01})
    assert config.canonical_copy().initial_parameters == [{"lr": 0.01}]
    given[0]["lr"] = 7
    assert problems_of(config)[0].startswith("initial_parameters[0].lr: ")


def test_about_a_wrong_search_space_nothing_more_is_said(config: ExperimentConfig) -> None:
    config.search_space = {"lr": {"_type": "uniform"}}
    config.initial_parameters = [{"rate": 1}]
    (problem,) = problems_of(config)
    assert problem.startswith("search_space.lr")


def test_a_tuner_of_ones_own_gets_what_it_was_given(config: ExperimentConfig, tmp_path: Path) -> None:
    config.tuner = CustomAlgorithmConfig(class_name="a.B", code_directory=tmp_path)
    config.initial_parameters = [{"lr": 5}]
    assert config.canonical_copy().initial_parameters == [{"lr": 5}]
    (warning,) = [each for each in config.warnings() if each.startswith("initial_parameters")]
    assert warning.startswith("initial_parameters[0].lr: 5 is not within the search space")
    config.search_space = ["anything"]
    config.validate()
    assert not [each for each in config.warnings() if each.startswith("initial_parameters")]


def test_more_than_are_tried_is_warned_of(config: ExperimentConfig) -> None:
    config.initial_parameters = [{"lr": 0.01}, {"lr": 0.02}, {}]
    config.max_trial_number = 3
    assert not config.warnings()
    config.max_trial_number = 2
    assert config.warnings() == ["initial_parameters: 3 are given, of which max_trial_number lets 2 be tried"]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("max_trial_retries", -1, "from 0"),
        ("max_trial_retries", 1.5, "a whole number"),
        ("max_failed_trial_number", 0, "above 0"),
        ("max_failed_trial_number", "many", "a whole number"),
        ("failed_trial_result", "best", 'allowed is "ignore", "worst" or a number'),
        ("failed_trial_result", float("nan"), "a number"),
        ("failed_trial_result", True, "a number"),
        ("failed_trial_result", {"default": 1}, "a number"),
    ],
)
def test_numbers_of_trials_and_attempts(
    config: ExperimentConfig, name: str, value: Any, allowed: str
) -> None:
    with pytest.raises(InvalidConfigError, match=allowed):
        setattr(config, name, value)


def test_the_names_of_yaml(config: ExperimentConfig) -> None:
    config.max_trial_retries, config.max_failed_trial_number = 0, 1
    config.initial_parameters = [{"lr": 0.01}]
    written = config.json()
    assert (written["maxTrialRetries"], written["maxFailedTrialNumber"]) == (0, 1)
    assert written["initialParameters"] == [{"lr": 0.01}]
    for result in ("ignore", "worst", -1, 0.5):
        config.failed_trial_result = result
        assert config.json()["failedTrialResult"] == result


_numbers = st.floats(-100, 100)


@given(st.sampled_from(["uniform", "quniform"]), _numbers, _numbers, st.floats(0.001, 50), st.floats(0, 1))
def test_what_the_rule_of_the_space_gives_is_within_it(
    kind: str, one: float, other: float, step: float, part: float
) -> None:
    low, high = sorted((one, other))
    drawn = min(max(low + part * (high - low), low), high)
    value = drawn if kind == "uniform" else min(max(round(drawn / step) * step, low), high)
    config = ExperimentConfig(
        trial_command="a",
        trial_concurrency=1,
        search_space={"x": {"_type": kind, "_value": [low, high, *([step] if kind == "quniform" else [])]}},
        initial_parameters=[{"x": value}],
        tuner=AlgorithmConfig(name="TPE"),
        training_service={"platform": "local"},
    )
    config.validate()
