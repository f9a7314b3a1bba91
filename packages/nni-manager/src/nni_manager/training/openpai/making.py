"""OpenPAI as a platform, made of an experiment's configuration."""

from __future__ import annotations

from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.openpai import OpenpaiConfig
from nni_config.openpai_job import complaints

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.names import storage_folder
from nni_manager.training.jobs.platform import JobPlatform
from nni_manager.training.openpai.api import OpenPaiApi, certificates
from nni_manager.training.openpai.job import as_yaml
from nni_manager.training.openpai.platform import OpenPai
from nni_manager.training.openpai.storage import MountedExperiment
from nni_manager.training.openpai.token import Token


def make_openpai_platform(
    config: ExperimentConfig, service: OpenpaiConfig, experiment_id: str, folder: Path
) -> JobPlatform:
    """Returns the platform of a training service; nothing is asked yet.

    Args:
        config: The canonical configuration.
        service: Its training service.
        experiment_id: The experiment.
        folder: Its folder.

    Raises:
        TrainingServiceError: It cannot be used like that.
    """
    settings = _settings(service)
    token = Token(service.token, None if service.token_file is None else Path(service.token_file))
    ca_file = None if service.ca_file is None else str(service.ca_file)
    trusted = certificates(ca_file, bool(service.insecure))
    stored = storage_folder(experiment_id, folder)
    place = MountedExperiment(
        Path(service.local_storage_mount_point), service.container_storage_mount_point, stored
    )
    api = OpenPaiApi(service.host, token, trusted)
    return OpenPai(service, settings, experiment_id, api, token, place)


def _settings(service: OpenpaiConfig) -> dict[str, object]:
    """Returns the user's own settings of jobs; a file may have changed since it was checked."""
    where = "openpai_config" if service.openpai_config_file is None else str(service.openpai_config_file)
    try:
        settings = service.job_settings()
        as_yaml(settings)
    except (OSError, ValueError, TypeError) as error:
        raise TrainingServiceError(f"{where}: {error}") from error
    wrong = [f"{'.'.join(map(str, path))}: {message}" for path, message in complaints(service, settings)]
    if wrong:
        raise TrainingServiceError(f"{where}: {'; '.join(wrong)}")
    return settings
