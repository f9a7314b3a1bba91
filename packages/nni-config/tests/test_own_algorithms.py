"""Algorithms that are instances, and algorithms that another process serves."""

from __future__ import annotations

import copy
import threading
from enum import Enum
from typing import Any

import pytest
from nni_config import CustomAlgorithmConfig, ExperimentConfig, InvalidConfigError
from nni_config.algorithm import AlgorithmConfig


class Mine:
    """The methods of a tuner, all that a configuration asks for."""

    def __init__(self, optimize_mode: Any = None) -> None:
        self.optimize_mode = optimize_mode
        self.lock = threading.Lock()

    def generate_multiple_parameters(self, parameter_id_list: list[int]) -> list[Any]:
        return []

    def receive_trial_result(self, *arguments: Any) -> None: ...

    def update_search_space(self, search_space: Any) -> None: ...


class Judge:
    def assess_trial(self, trial_job_id: str, trial_history: list[Any]) -> None: ...


class Mode(Enum):
    SMALL = "minimize"


def problems_of(config: ExperimentConfig) -> dict[str, str]:
    try:
        config.validate()
    except InvalidConfigError as error:
        return {str(problem).partition(":")[0]: problem.message for problem in error.problems}
    return {}


def test_an_instance_is_shown_and_kept_by_copies(valid_config: ExperimentConfig) -> None:
    tuner, assessor = Mine(), Judge()
    valid_config.tuner, valid_config.assessor = tuner, assessor
    canonical = copy.deepcopy(valid_config).canonical_copy().canonical_copy()
    assert isinstance(canonical.tuner, CustomAlgorithmConfig)
    assert canonical.tuner.instance is not None and canonical.tuner.instance.value is tuner
    assert canonical.assessor.instance.value is assessor
    written = valid_config.json()
    assert written["tuner"] == {"className": f"{__name__}.Mine", "instanceFile": "tuner.pickle"}
    assert written["assessor"] == {"className": f"{__name__}.Judge", "instanceFile": "assessor.pickle"}


def test_an_advisor_may_be_an_instance(valid_config: ExperimentConfig) -> None:
    valid_config.tuner = None
    valid_config.advisor = Mine()
    assert valid_config.json()["tuner"]["instanceFile"] == "tuner.pickle"


def test_an_instance_of_the_other_kind_is_refused(valid_config: ExperimentConfig) -> None:
    valid_config.tuner, valid_config.assessor = Judge(), Mine()
    found = problems_of(valid_config)
    assert "Judge is no tuner: it has no method generate_multiple_parameters" in found["tuner"]
    assert "Mine is no assessor: it has no method assess_trial" in found["assessor"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"class_args": {"a": 1}}, "tuner.class_args"),
        ({"name": "TPE"}, "tuner.name"),
        ({"endpoint": "a:1"}, "tuner.endpoint"),
        ({"instance_file": "../../secret.pickle"}, "tuner.instance_file"),
    ],
)
def test_what_contradicts_an_instance(
    valid_config: ExperimentConfig, fields: dict[str, Any], path: str
) -> None:
    written = {"class_name": "a.B", "instance_file": "tuner.pickle", **fields}
    valid_config.tuner = written
    assert path in problems_of(valid_config)


@pytest.mark.parametrize("mode", ["minimize", Mode.SMALL])
def test_the_mode_of_an_instance_is_the_experiments(valid_config: ExperimentConfig, mode: Any) -> None:
    valid_config.tuner = Mine(mode)
    valid_config.optimize_mode = None
    assert valid_config.json()["optimizeMode"] == "minimize"
    valid_config.optimize_mode = "maximize"
    assert "contradicts 'maximize'" in problems_of(valid_config)["tuner"]


def test_a_mode_that_says_nothing_is_left_alone(valid_config: ExperimentConfig) -> None:
    valid_config.tuner = Mine("pareto")
    valid_config.optimize_mode = None
    assert "optimizeMode" not in valid_config.json()


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:5000", "localhost:1", "[::1]:65535", "tuners.example.org:443"]
)
def test_endpoints(valid_config: ExperimentConfig, endpoint: str) -> None:
    valid_config.tuner = {"endpoint": endpoint, "classArgs": {"a": "${b}"}, "token": "secret"}
    valid_config.search_space = {"anything": 1}
    written = valid_config.json()
    assert written["tuner"] == {"endpoint": endpoint, "classArgs": {"a": "${b}"}}
    assert valid_config.json(secrets=True)["tuner"]["token"] == "secret"
    assert type(valid_config.canonical_copy().tuner) is AlgorithmConfig


@pytest.mark.parametrize(
    "endpoint",
    ["", "host", ":80", "host:", "host:0", "host:65536", "host:x", "http://host:80", "::1:80", "a b:1"],
)
def test_what_is_no_endpoint(valid_config: ExperimentConfig, endpoint: str) -> None:
    valid_config.tuner = {"endpoint": endpoint}
    assert 'allowed is "host:port"' in problems_of(valid_config)["tuner.endpoint"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"endpoint": "a:1", "name": "TPE"}, "tuner.endpoint"),
        ({"endpoint": "a:1", "class_name": "a.B"}, "tuner.endpoint"),
        ({"endpoint": "a:1", "code_directory": "."}, "tuner.code_directory"),
        ({"endpoint": "a:1", "token": " "}, "tuner.token"),
        ({"endpoint": "a:1", "ca_file": "/no/such"}, "tuner.ca_file"),
        ({"name": "TPE", "token": "a"}, "tuner.token"),
        ({"name": "TPE", "ca_file": "/"}, "tuner.ca_file"),
    ],
)
def test_what_contradicts_an_endpoint(
    valid_config: ExperimentConfig, fields: dict[str, Any], path: str
) -> None:
    valid_config.tuner = fields
    assert path in problems_of(valid_config)


def test_a_token_that_anybody_on_the_way_can_read_is_warned_of(valid_config: ExperimentConfig) -> None:
    valid_config.tuner = {"endpoint": "tuners.example.org:5000", "token": "secret"}
    (warning,) = [text for text in valid_config.warnings() if text.startswith("tuner.token")]
    assert "unencrypted" in warning and "secret" not in warning
    valid_config.tuner.endpoint = "127.0.0.1:5000"
    assert not any(text.startswith("tuner.token") for text in valid_config.warnings())
