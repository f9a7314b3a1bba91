"""Checks a configuration as a whole before anything is made of it."""

from __future__ import annotations

from nni_config import ExperimentConfig, InvalidConfigError

from nni_manager.algorithms.registry import check_algorithm
from nni_manager.experiments import errors


def check_config(config: ExperimentConfig) -> None:
    """Checks everything that can be checked without starting anything.

    Raises:
        InvalidConfigError: Something is wrong; the text lists every problem.
    """
    try:
        config.validate()
    except InvalidConfigError as error:
        raise errors.InvalidConfigError(str(error)) from error
    problems: list[str] = []
    if config.snapshot_code:
        problems.append(
            "snapshot_code: not available in this version; trials run in trial_code_directory itself"
        )
    for kind, algorithm in (("tuner", config.tuner), ("assessor", config.assessor)):
        if algorithm is not None and algorithm.name is not None:
            problems += check_algorithm(kind, algorithm.name, algorithm.class_args, config.search_space)
    if problems:
        raise errors.InvalidConfigError("\n".join(problems))
