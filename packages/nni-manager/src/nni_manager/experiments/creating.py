"""Checks a configuration as a whole before anything is made of it."""

from __future__ import annotations

from nni_config import ExperimentConfig, InvalidConfigError, start_problems

from nni_manager.algorithms.registry import algorithm_notice, check_algorithm
from nni_manager.experiments import errors


def checked_config(config: ExperimentConfig) -> ExperimentConfig:
    """Returns the canonical copy, after all that can be checked without starting anything.

    Raises:
        InvalidConfigError: Something is wrong; the text lists every problem.
    """
    try:
        config = config.canonical_copy()
    except InvalidConfigError as error:
        raise errors.InvalidConfigError(str(error)) from error
    problems = [str(problem) for problem in start_problems(config)]
    for kind, algorithm in (("tuner", config.tuner), ("assessor", config.assessor)):
        if algorithm is not None and algorithm.name is not None:
            problems += check_algorithm(kind, algorithm.name, algorithm.class_args, config.search_space)
    if problems:
        raise errors.InvalidConfigError("\n".join(problems))
    return config


def algorithm_notices(config: ExperimentConfig) -> tuple[str, ...]:
    """Returns what a person is to know of the algorithms of a valid configuration."""
    chosen = (("tuner", config.tuner), ("assessor", config.assessor))
    found = [algorithm_notice(kind, it.name) for kind, it in chosen if it is not None and it.name]
    return tuple(notice for notice in found if notice)
