"""Whether larger or smaller results are better."""

from pathlib import Path
from typing import Any

import pytest
from nni_config import CustomAlgorithmConfig, ExperimentConfig, InvalidConfigError, effective_optimize_mode


@pytest.mark.parametrize(
    ("tuner", "mode"), [("TPE", "minimize"), ("Random", "maximize"), ("gridsearch", "maximize")]
)
def test_the_tuners_default(valid_config: ExperimentConfig, tuner: str, mode: str) -> None:
    valid_config.tuner.name = tuner
    assert effective_optimize_mode(valid_config) == mode


def test_an_own_tuner_maximizes(valid_config: ExperimentConfig, code_directory: Path) -> None:
    valid_config.tuner = CustomAlgorithmConfig(class_name="mine.Tuner", code_directory=code_directory)
    assert effective_optimize_mode(valid_config) == "maximize"


@pytest.mark.parametrize(
    ("experiment", "tuner", "assessor", "mode"),
    [
        ("minimize", None, None, "minimize"),
        ("maximize", "maximize", "maximize", "maximize"),
        (None, "minimize", None, "minimize"),
        (None, None, "minimize", "minimize"),
        ("minimize", "maximize", None, None),
        (None, "minimize", "maximize", None),
        ("minimize", None, "maximize", None),
        (None, "min", None, None),
        (None, 1, None, None),
    ],
)
def test_where_it_is_written(
    valid_config: ExperimentConfig,
    code_directory: Path,
    experiment: Any,
    tuner: Any,
    assessor: Any,
    mode: Any,
) -> None:
    valid_config.optimize_mode = experiment
    valid_config.tuner.class_args = {"optimize_mode": tuner}
    valid_config.assessor = CustomAlgorithmConfig(
        class_name="mine.Assessor", code_directory=code_directory, class_args={"optimize_mode": assessor}
    )
    if mode is None:
        for check in (valid_config.validate, lambda: effective_optimize_mode(valid_config)):
            with pytest.raises(InvalidConfigError, match=r"optimize_mode: .*; allowed"):
                check()
    else:
        valid_config.validate()
        assert effective_optimize_mode(valid_config) == mode


def test_an_own_class_may_mean_something_else_by_it(
    valid_config: ExperimentConfig, code_directory: Path
) -> None:
    valid_config.tuner = CustomAlgorithmConfig(
        class_name="mine.Tuner", code_directory=code_directory, class_args={"optimize_mode": "pareto"}
    )
    with pytest.raises(InvalidConfigError, match="or set optimize_mode as well"):
        valid_config.validate()
    valid_config.optimize_mode = "minimize"
    valid_config.validate()
    assert effective_optimize_mode(valid_config) == "minimize"
