"""Trials on FrameworkController."""

from __future__ import annotations

from typing import ClassVar, Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_not_blank
from nni_config.fields import MemorySize, NonNegativeInt, PositiveInt, required
from nni_config.k8s_storage import K8sStorageConfig
from nni_config.problems import Report
from nni_config.training_service import DOCKER_IMAGE, TrainingServiceConfig

_ROLE = "training_service.task_roles[0]"


class FrameworkAttemptCompletionPolicy(ConfigBase):
    """When the tasks of a role count as ended.

    Attributes:
        min_failed_task_count: So many failed tasks make the job fail; -1 for never. Unit: tasks.
        min_succeed_task_count: So many succeeded tasks make the job succeed; -1 for never. Unit: tasks.
    """

    _place: ClassVar[str | None] = f"{_ROLE}.framework_attempt_completion_policy"

    min_failed_task_count: int = required()
    min_succeed_task_count: int = required()


class FrameworkControllerRoleConfig(ConfigBase):
    """One role in a FrameworkController job.

    Attributes:
        name: The role's name. Rule: not blank; each role has another.
        docker_image: The image that its tasks run in. Rule: not blank.
        task_number: How many tasks have the role. Unit: tasks.
        command: What they run. Rule: not blank.
        gpu_number: How many GPUs each task gets. Unit: GPUs.
        cpu_number: How many CPU cores each task gets. Unit: cores.
        memory_size: How much memory each task gets.
        framework_attempt_completion_policy: When the tasks count as ended.
    """

    _place: ClassVar[str | None] = _ROLE

    name: str = required()
    docker_image: str = DOCKER_IMAGE
    task_number: PositiveInt = required()
    command: str = required()
    gpu_number: NonNegativeInt = required()
    cpu_number: PositiveInt = required()
    memory_size: MemorySize = required()
    framework_attempt_completion_policy: FrameworkAttemptCompletionPolicy = required()

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        check_not_blank(self, report, "name", "docker_image", "command")


class FrameworkControllerConfig(TrainingServiceConfig):
    """Describes trials on FrameworkController, which this version does not run.

    Attributes:
        storage: The storage that holds the code and the results.
        service_account_name: The account that the jobs run as. Rule: not blank.
        task_roles: The roles of each job. Rule: one or more.
        reuse_mode: Keep a job from trial to trial.
        namespace: The namespace of the jobs. Rule: not blank.
    """

    _needs_command: ClassVar[bool] = False

    platform: Literal["frameworkcontroller"] = "frameworkcontroller"
    storage: K8sStorageConfig = required()
    service_account_name: str | None = None
    task_roles: list[FrameworkControllerRoleConfig] = required()
    reuse_mode: bool | None = True
    namespace: str = "default"

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        if self.task_roles is not None and not self.task_roles:
            report.add("it is empty; allowed is one role or more", "task_roles")
        names = [role.name for role in self.task_roles or []]
        for index, name in enumerate(names):
            if name is not None and name in names[:index]:
                report.add(f'"{name}" is the name of another role too', "task_roles", index, "name")
        check_not_blank(self, report, "service_account_name", "namespace")
