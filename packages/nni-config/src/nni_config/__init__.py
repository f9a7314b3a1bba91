"""Experiment configuration and search spaces."""

from nni_config.algorithm import AlgorithmConfig, CustomAlgorithmConfig
from nni_config.base import ConfigBase
from nni_config.durations import parse_duration
from nni_config.experiment import ExperimentConfig
from nni_config.experiment_ids import new_experiment_id
from nni_config.local import LocalConfig
from nni_config.optimize_mode import effective_optimize_mode
from nni_config.paths import default_experiments_directory
from nni_config.problems import InvalidConfigError, Problem, UnknownFieldError
from nni_config.search_space import check_search_space, search_space_warnings
from nni_config.training_service import TrainingServiceConfig

__all__ = [
    "AlgorithmConfig",
    "ConfigBase",
    "CustomAlgorithmConfig",
    "ExperimentConfig",
    "InvalidConfigError",
    "LocalConfig",
    "Problem",
    "TrainingServiceConfig",
    "UnknownFieldError",
    "check_search_space",
    "default_experiments_directory",
    "effective_optimize_mode",
    "new_experiment_id",
    "parse_duration",
    "search_space_warnings",
]
