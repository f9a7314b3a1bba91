"""Azure ML as a platform of jobs, made of its configuration."""

from __future__ import annotations

from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.aml import AmlConfig

from nni_manager.shared_storage.azure_blob import Container
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.platform import AzureMl
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.names import storage_folder
from nni_manager.training.jobs.platform import JobPlatform


def make_aml_platform(
    config: ExperimentConfig, service: AmlConfig, experiment_id: str, folder: Path
) -> JobPlatform:
    """Returns where jobs are run; nothing is asked of it yet.

    Args:
        config: The canonical configuration.
        service: The part of it that describes Azure ML.
        experiment_id: The experiment.
        folder: Its folder.

    Raises:
        TrainingServiceError: It cannot be used like that.
    """
    place = AmlPlace(
        subscription_id=service.subscription_id,
        resource_group=service.resource_group,
        workspace=service.workspace_name,
        compute=service.compute_target,
        docker_image=service.docker_image,
        environment=service.environment or "",
        trials_per_job=service.max_trial_number_per_gpu,
        gpus_per_trial=service.trial_gpu_number or 0,
    )
    return AzureMl(
        place,
        experiment_id,
        storage_folder(experiment_id, folder),
        _shared_container(config),
        shows_results=service.studio_metrics is not False,
        keeps_jobs=service.reuse_mode is not False,
    )


def _shared_container(config: ExperimentConfig) -> Container | None:
    shared = config.shared_storage
    if shared is None:
        return None
    if shared.storage_type != "AzureBlob":
        raise TrainingServiceError(
            f"shared_storage: jobs of Azure ML do not see a storage of the type {shared.storage_type}; "
            "allowed is AzureBlob, or none: the workspace has a storage of its own"
        )
    return Container(
        account=shared.storage_account_name or "",
        name=shared.container_name or "",
        url=shared.storage_account_url or "",
        key=shared.storage_account_key or "",
        sas_token=shared.storage_sas_token or "",
    )
