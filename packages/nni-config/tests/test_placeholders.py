"""C2: placeholders such as ${name} of a template are named as not filled in, wherever they stand."""

from pathlib import Path
from typing import Any

import pytest
from nni_config import CustomAlgorithmConfig, ExperimentConfig, InvalidConfigError, search_space_warnings


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ExperimentConfig.model_fields
        if name not in ("trial_command", "tuner", "assessor", "advisor", "training_service", "shared_storage")
    ],
)
def test_in_every_field_of_an_experiment(valid_config: ExperimentConfig, name: str) -> None:
    with pytest.raises(InvalidConfigError) as error:
        setattr(valid_config, name, "${value}")
        valid_config.validate()
    (problem,) = error.value.problems
    assert problem.path == (name,)
    assert problem.message == "'${value}' has a placeholder that is not filled in; write the value"


def test_a_part_of_a_text_may_be_one_too(valid_config: ExperimentConfig) -> None:
    valid_config.experiment_name = "run of ${user}"
    valid_config.trial_code_directory = "${HOME}/code"
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    assert {problem.path[-1] for problem in error.value.problems} == {
        "experiment_name",
        "trial_code_directory",
    }
    assert all("placeholder" in problem.message for problem in error.value.problems)


def test_the_shell_fills_in_those_of_the_command(valid_config: ExperimentConfig) -> None:
    valid_config.trial_command = "python3 ${SCRIPT:-a.py}"
    valid_config.validate()


def test_in_arguments_of_algorithms(valid_config: ExperimentConfig, code_directory: Path) -> None:
    arguments: dict[str, Any] = {"seed": "${seed}", "deep": [{"a": "${b}"}], "text": "a${b}"}
    valid_config.tuner.class_args = arguments
    with pytest.raises(InvalidConfigError) as error:
        valid_config.validate()
    assert [problem.path for problem in error.value.problems] == [
        ("tuner", "class_args", "seed"),
        ("tuner", "class_args", "deep", 0, "a"),
    ]
    valid_config.tuner = CustomAlgorithmConfig(
        class_name="mine.Tuner", code_directory=code_directory, class_args=arguments
    )
    assert valid_config.canonical_copy().warnings() == [
        "tuner.class_args.seed: '${seed}' looks like a placeholder that is not filled in",
        "tuner.class_args.deep[0].a: '${b}' looks like a placeholder that is not filled in",
    ]


def test_in_search_spaces() -> None:
    assert search_space_warnings({"x": {"_type": "choice", "_value": ["a", "${b}"]}}) == [
        "x._value[1]: '${b}' looks like a placeholder that is not filled in"
    ]
