"""Trials on Kubeflow."""

from __future__ import annotations

from typing import ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_not_blank
from nni_config.fields import MemorySize, NonNegativeInt, PositiveInt, required
from nni_config.k8s_storage import K8sStorageConfig
from nni_config.problems import Report
from nni_config.training_service import DOCKER_IMAGE, TrainingServiceConfig


class KubeflowRoleConfig(ConfigBase):
    """One role in a Kubeflow job.

    Attributes:
        replicas: How many pods have the role. Unit: pods.
        command: What they run. Rule: not blank.
        gpu_number: How many GPUs each pod gets. Unit: GPUs.
        cpu_number: How many CPU cores each pod gets. Unit: cores.
        memory_size: How much memory each pod gets.
        docker_image: The image that they run in. Rule: not blank.
        code_directory: The folder of the code. Rule: not blank.
    """

    _place: ClassVar[str | None] = "training_service.worker"

    replicas: PositiveInt = required()
    command: str = required()
    gpu_number: NonNegativeInt | None = 0
    cpu_number: PositiveInt = required()
    memory_size: MemorySize = required()
    docker_image: str = DOCKER_IMAGE
    code_directory: str = required()

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        check_not_blank(self, report, "command", "docker_image", "code_directory")


class KubeflowConfig(TrainingServiceConfig):
    """Describes trials on Kubeflow, which this version does not run.

    Attributes:
        operator: Which operator runs the jobs.
        api_version: The version of the operator's interface. Rule: not blank.
        storage: The storage that holds the code and the results.
        worker: The workers.
        ps: The parameter servers.
        master: The master.
        reuse_mode: Keep a job from trial to trial.
        namespace: The namespace of the jobs. Rule: not blank.
    """

    _needs_command: ClassVar[bool] = False

    platform: Literal["kubeflow"] = "kubeflow"
    operator: Literal["tf-operator", "pytorch-operator"] = required()
    api_version: str = required()
    storage: K8sStorageConfig = required()
    worker: KubeflowRoleConfig | None = None
    ps: KubeflowRoleConfig | None = None
    master: KubeflowRoleConfig | None = None
    reuse_mode: bool | None = True
    namespace: str = "default"

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        check_not_blank(self, report, "api_version", "namespace")
