"""Trials on Azure Machine Learning."""

from __future__ import annotations

from typing import Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_not_blank
from nni_config.fields import PositiveInt, required
from nni_config.problems import Report
from nni_config.training_service import DOCKER_IMAGE, TrainingServiceConfig, check_share_of_gpu


class AmlConfig(TrainingServiceConfig):
    """Runs trials on Azure Machine Learning.

    Attributes:
        subscription_id: The Azure subscription. Rule: not blank.
        resource_group: The resource group of the workspace. Rule: not blank.
        workspace_name: The workspace. Rule: not blank.
        compute_target: The name of the compute cluster in the workspace. Rule: not blank.
        docker_image: The image that trials run in. Rule: not blank.
        max_trial_number_per_gpu: How many trials may share a GPU. Unit: trials. Rule: 1 where trials get no
            GPU.
    """

    platform: Literal["aml"] = "aml"
    subscription_id: str = required()
    resource_group: str = required()
    workspace_name: str = required()
    compute_target: str = required()
    docker_image: str = DOCKER_IMAGE
    max_trial_number_per_gpu: PositiveInt = 1

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        names = ("subscription_id", "resource_group", "workspace_name", "compute_target", "docker_image")
        check_not_blank(self, report, *names)
        check_share_of_gpu(self.max_trial_number_per_gpu, self.trial_gpu_number, report)
