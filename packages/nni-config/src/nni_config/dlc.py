"""Trials on Alibaba Cloud's Deep Learning Containers."""

from __future__ import annotations

from typing import Literal

from nni_config.base import ConfigBase
from nni_config.checks import check_not_blank
from nni_config.fields import PositiveInt, SecretText, required
from nni_config.problems import Report
from nni_config.training_service import TrainingServiceConfig


class DlcConfig(TrainingServiceConfig):
    """Describes trials on Alibaba Cloud's Deep Learning Containers, which this version does not run.

    Attributes:
        type: The kind of the pods. Rule: not blank.
        image: The image that trials run in. Rule: not blank.
        job_type: The kind of the jobs, such as TFJob or PyTorchJob. Rule: not blank.
        pod_count: How many pods each job has. Unit: pods.
        ecs_spec: The kind of machine. Rule: not blank.
        region: The region. Rule: not blank.
        workspace_id: The workspace. Rule: not blank.
        nas_data_source_id: The data source that holds the code. Rule: not blank.
        oss_data_source_id: A data source in the object storage. Rule: any text.
        access_key_id: The name of the access key. Rule: not blank.
        access_key_secret: The access key. Rule: not blank.
        local_storage_mount_point: Where the storage is mounted on this machine. Rule: not blank.
        container_storage_mount_point: Where the storage is mounted in the containers. Rule: not blank.
    """

    platform: Literal["dlc"] = "dlc"
    type: str = "Worker"
    image: str = required()
    job_type: str = "TFJob"
    pod_count: PositiveInt = required()
    ecs_spec: str = required()
    region: str = required()
    workspace_id: str = required()
    nas_data_source_id: str = required()
    oss_data_source_id: str | None = None
    access_key_id: str = required()
    access_key_secret: SecretText = required()
    local_storage_mount_point: str = required()
    container_storage_mount_point: str = required()

    def _check(self, parents: list[ConfigBase], report: Report) -> None:
        super()._check(parents, report)
        names = ("type", "image", "job_type", "ecs_spec", "region", "workspace_id", "nas_data_source_id")
        mounts = ("local_storage_mount_point", "container_storage_mount_point")
        check_not_blank(self, report, *names, "access_key_id", "access_key_secret", *mounts)
