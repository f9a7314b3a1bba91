"""Experiment configuration and search spaces."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nni_config.experiment_ids import new_experiment_id
from nni_config.paths import default_experiments_directory
from nni_config.problems import InvalidConfigError, Problem, UnknownFieldError
from nni_config.search_space import check_search_space, search_space_warnings

if TYPE_CHECKING:
    from nni_config.algorithm import AlgorithmConfig, CustomAlgorithmConfig
    from nni_config.aml import AmlConfig
    from nni_config.base import ConfigBase
    from nni_config.dlc import DlcConfig
    from nni_config.durations import parse_duration
    from nni_config.experiment import ExperimentConfig
    from nni_config.frameworkcontroller import (
        FrameworkAttemptCompletionPolicy,
        FrameworkControllerConfig,
        FrameworkControllerRoleConfig,
    )
    from nni_config.k8s_storage import K8sAzureStorageConfig, K8sNfsConfig, K8sStorageConfig
    from nni_config.kubeflow import KubeflowConfig, KubeflowRoleConfig
    from nni_config.local import LocalConfig
    from nni_config.openpai import OpenpaiConfig
    from nni_config.optimize_mode import effective_optimize_mode
    from nni_config.remote import RemoteConfig, RemoteMachineConfig
    from nni_config.shared_storage import AzureBlobConfig, NfsConfig, SharedStorageConfig
    from nni_config.starting import start_problems
    from nni_config.training_service import TrainingServiceConfig

__all__ = [
    "AlgorithmConfig",
    "AmlConfig",
    "AzureBlobConfig",
    "ConfigBase",
    "CustomAlgorithmConfig",
    "DlcConfig",
    "ExperimentConfig",
    "FrameworkAttemptCompletionPolicy",
    "FrameworkControllerConfig",
    "FrameworkControllerRoleConfig",
    "InvalidConfigError",
    "K8sAzureStorageConfig",
    "K8sNfsConfig",
    "K8sStorageConfig",
    "KubeflowConfig",
    "KubeflowRoleConfig",
    "LocalConfig",
    "NfsConfig",
    "OpenpaiConfig",
    "Problem",
    "RemoteConfig",
    "RemoteMachineConfig",
    "SharedStorageConfig",
    "TrainingServiceConfig",
    "UnknownFieldError",
    "check_search_space",
    "default_experiments_directory",
    "effective_optimize_mode",
    "new_experiment_id",
    "parse_duration",
    "search_space_warnings",
    "start_problems",
]

_LAZY = {
    "algorithm": ("AlgorithmConfig", "CustomAlgorithmConfig"),
    "aml": ("AmlConfig",),
    "base": ("ConfigBase",),
    "dlc": ("DlcConfig",),
    "durations": ("parse_duration",),
    "experiment": ("ExperimentConfig",),
    "frameworkcontroller": (
        "FrameworkAttemptCompletionPolicy",
        "FrameworkControllerConfig",
        "FrameworkControllerRoleConfig",
    ),
    "k8s_storage": ("K8sAzureStorageConfig", "K8sNfsConfig", "K8sStorageConfig"),
    "kubeflow": ("KubeflowConfig", "KubeflowRoleConfig"),
    "local": ("LocalConfig",),
    "openpai": ("OpenpaiConfig",),
    "optimize_mode": ("effective_optimize_mode",),
    "remote": ("RemoteConfig", "RemoteMachineConfig"),
    "shared_storage": ("AzureBlobConfig", "NfsConfig", "SharedStorageConfig"),
    "starting": ("start_problems",),
    "training_service": ("TrainingServiceConfig",),
}
"""What takes long to import, by module: pydantic and its classes. Search spaces are checked without."""


def __getattr__(name: str) -> Any:
    for module, names in _LAZY.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"nni_config.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
