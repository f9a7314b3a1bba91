"""Batch: its search space is one choice, whose options may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nni_config import ExperimentConfig, InvalidConfigError
from nni_config.json_schema import experiment_schema

FINE: list[list[Any]] = [
    [{"lr": 1, "n": 2}, {"lr": 0.1, "n": 3}],
    [{"_name": "small", "lr": 0.1}, {"lr": 1}],
    [{"_name": "same"}, {"_name": "same"}],
    [{"lr": {"_type": "uniform", "_value": [0, 1]}}],
    [{"layers": [1, {"deep": None}]}, 5, "text", None, []],
]
WRONG: list[tuple[Any, str, str]] = [
    ({}, "", "it has 0 parameters; allowed is one parameter"),
    ({"a": {"_type": "choice", "_value": [1]}, "b": {}}, "", "it has 2 parameters"),
    ([1], "", "[1] is not a search space"),
    ({"a": [1]}, "a", "[1] is not a choice"),
    ({"a": {"b": {"_type": "choice", "_value": [1]}}}, "a", "is not a choice"),
    (
        {"a": {"_type": "uniform", "_value": [0, 1]}},
        "a._type",
        "'uniform' is not supported by this algorithm",
    ),
    ({"a": {"_type": ["choice"], "_value": [0, 1]}}, "a._type", "is not supported"),
    ({"a": {"_type": "choice"}}, "a._value", "None is not a list"),
    ({"a": {"_type": "choice", "_value": {"lr": 1}}}, "a._value", "is not a list"),
    ({"a": {"_type": "choice", "_value": []}}, "a._value", "it is empty"),
]


def config(space: Any, **more: Any) -> dict[str, Any]:
    return {
        "searchSpace": space,
        "trialCommand": "true",
        "trialConcurrency": 1,
        "tuner": {"name": "Batch"},
        "trainingService": {"platform": "local"},
        **more,
    }


def choice(options: list[Any]) -> dict[str, Any]:
    return {"all of it": {"_type": "choice", "_value": options}}


@pytest.mark.parametrize("options", FINE)
@pytest.mark.parametrize("tuner", ["Batch", "batchtuner"])
def test_options_may_be_anything(tuner: str, options: list[Any]) -> None:
    given = config(choice(options), tuner={"name": tuner})
    ExperimentConfig(**given).validate()
    Draft202012Validator(experiment_schema()).validate(given)


@pytest.mark.parametrize(("space", "place", "expected"), WRONG)
def test_what_is_no_list_of_points_is_refused_with_its_place(space: Any, place: str, expected: str) -> None:
    with pytest.raises(InvalidConfigError) as error:
        ExperimentConfig(**config(space)).validate()
    (problem,) = error.value.problems
    assert ".".join(map(str, problem.path)) == f"search_space.{place}".rstrip(".")
    assert expected in problem.message
    assert not Draft202012Validator(experiment_schema()).is_valid(config(space))


def test_other_tuners_take_no_points() -> None:
    given = config(choice(FINE[1]), tuner={"name": "Random"})
    with pytest.raises(InvalidConfigError, match="mixes options with and without _name"):
        ExperimentConfig(**given).validate()
    assert not Draft202012Validator(experiment_schema()).is_valid(given)


def test_initial_parameters_are_refused() -> None:
    given = config(choice(FINE[0]), initialParameters=[{"lr": 1, "n": 2}])
    with pytest.raises(
        InvalidConfigError, match=r"initial_parameters: .* at the beginning of the search space"
    ):
        ExperimentConfig(**given).validate()
    assert not Draft202012Validator(experiment_schema()).is_valid(given)
    ExperimentConfig(**config(choice(FINE[0]), initialParameters=[])).validate()


def test_a_file_of_points(tmp_path: Path) -> None:
    path = tmp_path / "experiment.yml"
    path.write_text(
        "searchSpace:\n  all: {_type: choice, _value: [{lr: 1, n: 2}, {lr: 0.5, n: 3}]}\n"
        "trialCommand: 'true'\ntrialConcurrency: 1\n"
        "tuner: {name: Batch}\ntrainingService: {platform: local}\n"
    )
    loaded = ExperimentConfig.load(path).canonical_copy()
    assert loaded.search_space["all"]["_value"] == [{"lr": 1, "n": 2}, {"lr": 0.5, "n": 3}]
    assert loaded.warnings() == []
