"""Trials on Azure Machine Learning."""

from __future__ import annotations

import re
from typing import Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_not_blank
from nni_config.fields import MemorySize, PositiveInt, required
from nni_config.names import short
from nni_config.problems import Report
from nni_config.training_service import DOCKER_IMAGE, TrainingServiceConfig, check_share_of_gpu

_ENVIRONMENT = re.compile(r"[\w.-]+(:[\w.-]+|@[\w.-]+)", re.ASCII)


class AmlConfig(TrainingServiceConfig):
    """Runs trials on Azure Machine Learning.

    Attributes:
        subscription_id: The Azure subscription. Rule: not blank.
        resource_group: The resource group of the workspace. Rule: not blank.
        workspace_name: The workspace. Rule: not blank.
        compute_target: The name of the compute cluster in the workspace. Rule: not blank.
        docker_image: The image that trials run in. Rule: not blank; not beside environment.
        environment: The registered environment of the workspace that trials run in, in place of an image.
            Rule: "name:version" or "name@latest".
        max_trial_number_per_gpu: How many trials may share a GPU: so many run in a job at once. Unit: trials.
            Rule: 1 where trials get no GPU; 1 without reuse_mode.
        reuse_mode: Keep a job from trial to trial; false gives each trial a job of its own. None is true.
        max_code_size: How large the code folder may be, without what .nniignore leaves out. None is 300MB.
        studio_metrics: Show what trials report among the metrics of their jobs in Azure ML's studio. None is
            true.
    """

    platform: Literal["aml"] = "aml"
    subscription_id: str = required()
    resource_group: str = required()
    workspace_name: str = required()
    compute_target: str = required()
    docker_image: str = DOCKER_IMAGE
    environment: str | None = None
    max_trial_number_per_gpu: PositiveInt = 1
    reuse_mode: bool | None = None
    max_code_size: MemorySize | None = None
    studio_metrics: bool | None = None

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        names = ("subscription_id", "resource_group", "workspace_name", "compute_target", "docker_image")
        check_not_blank(self, report, *names)
        if self.environment is not None and not _ENVIRONMENT.fullmatch(self.environment):
            message = (
                f'{short(self.environment)} names no environment; allowed is "name:version" or "name@latest"'
            )
            report.add(message, "environment")
        if self.environment is not None and self.docker_image not in (DOCKER_IMAGE, None):
            report.add("docker_image and environment are both set; allowed is one of the two", "environment")
        check_share_of_gpu(self.max_trial_number_per_gpu, self.trial_gpu_number, report)
        if self.reuse_mode is False and self.max_trial_number_per_gpu not in (1, None):
            message = "trials share a GPU in a job that is kept; allowed is 1, or reuse_mode: true"
            report.add(message, "max_trial_number_per_gpu")
