"""Checks a configuration as a whole before anything is made of it."""

from __future__ import annotations

from nni_config import ExperimentConfig, InvalidConfigError, start_problems

from nni_manager.algorithms.registry import check_algorithm
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
    problems = [str(problem) for problem in start_problems(config)] + _settings_without_effect(config)
    for kind, algorithm in (("tuner", config.tuner), ("assessor", config.assessor)):
        if algorithm is not None and algorithm.name is not None:
            problems += check_algorithm(kind, algorithm.name, algorithm.class_args, config.search_space)
    if problems:
        raise errors.InvalidConfigError("\n".join(problems))
    return config


def _settings_without_effect(config: ExperimentConfig) -> list[str]:
    """Returns a problem for each setting that would be ignored: it is better refused."""
    problems = []
    counts = [config.trial_gpu_number, *(service.trial_gpu_number for service in config.training_services())]
    if any(counts):
        problems.append(
            "trial_gpu_number: GPUs are not given to trials in this version; 0 hides every GPU from a trial, "
            "and without it each trial sees those of this process"
        )
    return problems
